-- JSON: taking apart, putting together, changing, and the binary form.
SELECT json('{"a": [1, 2.5, "x", null, true], "b": {"c": "\u00e9"}}');
SELECT json_extract('{"a": [1, 2, {"b": 7}]}', '$.a[2].b', '$.a[#-1]'), '{"a": {"b": 1}}' -> '$.a', '{"a": {"b": 1}}' ->> '$.a.b';
SELECT json_array(1, 'two', 3.5, NULL, json('[4]')), json_object('k', 1, 'l', json_array());
SELECT json_set('{"a": 1}', '$.b', 2, '$.a', 9), json_insert('{"a": 1}', '$.a', 2), json_replace('{"a": 1}', '$.a', 2), json_remove('[1, 2, 3]', '$[1]');
SELECT json_patch('{"a": 1, "b": 2}', '{"b": null, "c": 3}'), json_type('[1, "a"]', '$[1]'), json_array_length('[1, 2, 3]'), json_valid('{x'), json_quote('a"b');
SELECT key, value, type, fullkey FROM json_tree('{"a": [1, {"b": 2}], "c": "d"}');
CREATE TABLE doc(id INTEGER PRIMARY KEY, body BLOB);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
INSERT INTO doc SELECT i, jsonb_object('n', i, 'tags', jsonb_array('t' || (i % 5), 't' || (i % 7))) FROM n;
CREATE INDEX doc_n ON doc(body ->> '$.n');
SELECT id, json(body) FROM doc WHERE body ->> '$.n' = 77;
SELECT tag.value, count(*) FROM doc, json_each(doc.body, '$.tags') tag GROUP BY 1 ORDER BY 1;
SELECT json_group_array(id), json_group_object('k' || id, id) FROM doc WHERE id < 6;
SELECT json_pretty('{"a": [1, 2], "b": {}}');
SELECT json_error_position('{"a": }'), json('{a: +1, ''b'': [0x10, .5,],}');
