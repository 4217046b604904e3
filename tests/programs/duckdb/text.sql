SELECT upper('straße'), lower('ÄÖÜ'), length('naïve'), strlen('naïve'), reverse('añb'), strip_accents('crème brûlée');

SELECT repeat('ab', 3), lpad('7', 3, '0'), rpad('7', 3, '.'), trim('  x '), replace('banana', 'an', 'AN'), left('word', 2);

SELECT string_split('a,b,,c', ',')::VARCHAR, concat_ws('-', 'a', NULL, 'b'), split_part('a b c', ' ', 2);

SELECT regexp_replace('2024-02-29', '(\d+)-(\d+)-(\d+)', '\3.\2.\1'), regexp_extract('key=value', '(\w+)=(\w+)', 2),
    regexp_extract_all('a1b22c333', '\d+')::VARCHAR;

SELECT levenshtein('kitten', 'sitting'), jaro_winkler_similarity('martha', 'marhta')::DECIMAL(9, 6), jaccard('duck', 'luck');

SELECT printf('%5.2f|%-6s|%05d|%x', 3.14159, 'left', 42, 255), format('{:>8}|{:+.3e}|{:,}', 'right', 12345.678, 1234567);

SELECT md5('larder'), sha256('larder'), hash('larder'), to_base64('larder'::BLOB), hex('larder'), url_encode('a b&c');

SELECT strftime(TIMESTAMP '2024-02-29 13:45:06.789', '%A %d %B %Y %H:%M:%S.%f'), age(DATE '2024-02-29', DATE '2000-01-01'),
    date_trunc('week', DATE '2024-02-29'), DATE '2024-01-31' + INTERVAL 1 MONTH, epoch_ms(TIMESTAMP '1970-01-02 00:00:00');

SELECT list_transform([1, 2, 3], lambda x: x * x)::VARCHAR, list_filter(range(10), lambda x: x % 3 = 0)::VARCHAR,
    list_sort([3, 1, 2])::VARCHAR, {'a': 1, 'b': [true, NULL]}::VARCHAR, map(['k'], [DATE '2024-01-01'])::VARCHAR;

SELECT sin(1)::DECIMAL(12, 9), exp(1)::DECIMAL(12, 9), ln(10)::DECIMAL(12, 9), pow(2, 0.5)::DECIMAL(12, 9), gamma(5.5)::DECIMAL(12, 9),
    round(2.5), factorial(20), gcd(1071, 462), 1e308 * 10, 'nan'::DOUBLE, 0.1 + 0.2, 0.1::FLOAT, 1e-320;

SELECT '12:34:56.789'::TIME, '101010'::BIT, 'abc'::BLOB, uuid() IS NOT NULL, 170141183460469231731687303715884105727::HUGEINT,
    123456789.123456789::DECIMAL(18, 9) * 2, '1 year 2 months'::INTERVAL;

SELECT json_extract('{"a": [1, {"b": "x"}]}', '$.a[1].b'), json_array_length('[1, 2, 3]'), '{"a": 1.5}'::JSON->>'a',
    to_json({'x': [1, 2], 'y': NULL}), json_structure('[{"a": 1}, {"a": null, "b": "t"}]'),
    json_group_array(i) FROM range(4) t(i);

SELECT json_serialize_sql('SELECT 1 + 2 AS three');
