COPY (SELECT i, i % 7 AS seven, 'row ' || i AS label, i / 4 AS quarter, DATE '2020-01-01' + CAST(i % 1000 AS INTEGER) AS day,
    CASE WHEN i % 11 = 0 THEN NULL ELSE [i, i + 1] END AS pair FROM range(50000) t(i))
  TO 'rows.parquet' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 10000);
SELECT count(*), sum(i), sum(quarter), min(label), max(day), count(pair), sum(pair[2]) FROM 'rows.parquet';

SELECT num_row_groups, num_rows FROM parquet_file_metadata('rows.parquet');

SELECT name, type, converted_type FROM parquet_schema('rows.parquet');

SELECT seven, count(*) FROM read_parquet('rows.parquet') WHERE day > DATE '2022-01-01' GROUP BY seven ORDER BY seven;

COPY (SELECT i, 'a "quoted", text ' || i AS label, i * 1.5 AS real FROM range(20000) t(i)) TO 'rows.csv' (HEADER);
SELECT count(*), sum(i), sum(real), max(label) FROM read_csv('rows.csv');

SELECT * FROM read_csv('rows.csv') LIMIT 2;

COPY (SELECT {'id': i, 'tags': ['t' || i % 3, 'u']} AS value, i AS n FROM range(5000) t(i)) TO 'rows.json';
SELECT count(*), sum(n), sum(value.id), min(value.tags[1]) FROM 'rows.json';

COPY (SELECT * FROM 'rows.parquet' WHERE i < 1000) TO 'parts' (FORMAT parquet, PARTITION_BY (seven), OVERWRITE_OR_IGNORE);
SELECT seven, count(*), sum(i) FROM read_parquet('parts/*/*.parquet', hive_partitioning = true) GROUP BY ALL ORDER BY ALL;

COPY (SELECT i, repeat('x', i % 50) AS label FROM range(30000) t(i)) TO 'rows.csv.gz' (HEADER);
SELECT count(*), sum(i), sum(length(label)) FROM 'rows.csv.gz';
