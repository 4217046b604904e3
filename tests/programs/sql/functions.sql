-- Scalar functions: printf, dates, strings, numbers, blobs, collations, casts.
SELECT printf('%d|%5d|%-5d|%05d|%+d|%x|%o|%c|%s|%q|%Q|%w|%,d', 42, 42, 42, 42, 42, 255, 8, 'xyz', 'str', 'it''s', 'it''s', 'a"b', 1234567);
SELECT printf('%f|%.3f|%e|%g|%10.2f|%!.20g|%.0f', 3.14159, 2.71828, 12345.678, 1e-7, 1.005, 0.1, 2.5);
SELECT date('2024-02-29', '+1 year'), date('2024-01-31', '+1 month'), time('12:34:56.789', '+90 minutes'), datetime(1700000000, 'unixepoch'), julianday('2000-01-01 12:00');
SELECT strftime('%Y-%m-%d %H:%M:%f %j %w %s %W', '2023-07-04 01:02:03.456'), date('2024-05-15', 'start of month', '+1 month', '-1 day', 'weekday 0'), unixepoch('1970-01-02'), timediff('2024-03-01', '2023-02-28');
SELECT upper('aé'), lower('ÀB'), length('häß€'), octet_length('€'), substr('abcdef', -3, 2), substring('abc', 2), trim('  x '), ltrim('xxa', 'x'), replace('banana', 'an', 'AN'), instr('hello', 'll'), hex('abc'), unhex('616263'), char(72, 228, 8364), unicode('€'), quote('it''s'), quote(x'00ff'), quote(1e100);
SELECT abs(-5), abs(-2.5), round(2.5), round(-2.567, 2), sign(-3), max(1, 2.5, -1), min('b', 'a'), coalesce(NULL, 3), ifnull(NULL, 4), nullif(1, 1), iif(1 > 2, 'y', 'n'), typeof(1), typeof(1.0), typeof('1'), typeof(NULL), typeof(x'');
SELECT round(sin(1), 12), round(cos(1), 12), round(tan(1), 12), round(atan2(1, 2), 12), round(exp(1), 12), round(ln(10), 12), log(100), log(2, 1024), round(pow(2, 0.5), 12), sqrt(16), ceil(1.2), floor(-1.2), trunc(-1.7), mod(7.5, 2), round(pi(), 12), round(degrees(1), 10), round(asinh(1), 12);
SELECT CAST('12abc' AS INT), CAST(3.9 AS INT), CAST('1e3' AS REAL), CAST(x'3132' AS TEXT), '5' + '6', 7 / 2, 7 / 2.0, 7 % 3, -7 / 2, 1 / 0, 9223372036854775807 + 1, 5 & 3, 5 | 3, ~5, 1 << 40, 'a' || 1 || NULL;
SELECT 'abc' LIKE 'A%', 'abc' GLOB 'a?c', 'a_c' LIKE 'a\_c' ESCAPE '\', 'abc' BETWEEN 'abb' AND 'abd', NULL IS NULL, 1 IS NOT 2, 'a' = 'A' COLLATE NOCASE, 'a ' = 'a' COLLATE RTRIM, (1, 2) < (1, 3), 3 IN (1, 2, 3), CASE 3 WHEN 1 THEN 'x' ELSE 'y' END;
SELECT zeroblob(4) = x'00000000', length(randomblob(16)), hex(zeroblob(3)), likelihood(1, 0.5), soundex IS NULL FROM (SELECT NULL AS soundex);
SELECT group_concat(value, ','), sum(value), avg(value), total(value), count(DISTINCT value) FROM (SELECT 1 AS value UNION ALL SELECT 2 UNION ALL SELECT 2 UNION ALL SELECT 3);
SELECT * FROM pragma_table_info('sqlite_schema');
SELECT concat('a', NULL, 'b'), concat_ws('-', 1, NULL, 2), format('%s', 'same as printf'), 0x1F, 1_000_000, .5e-3;
