-- Full text search and R-trees: virtual tables, tokenizers, ranking.
CREATE VIRTUAL TABLE page USING fts5(title, body, tokenize = 'porter unicode61');
INSERT INTO page VALUES
  ('Larder', 'A cool room in which food is kept; kept food keeps'),
  ('Kitchen', 'The room in which food is cooked every day'),
  ('Compiler', 'A program which translates programs; translation takes time'),
  ('Cache', 'Keeping what was computed, so that nothing is computed twice');
SELECT title FROM page WHERE page MATCH 'keep' ORDER BY rank;
SELECT title, snippet(page, 1, '<', '>', '…', 5) FROM page WHERE page MATCH 'room AND food' ORDER BY rowid;
SELECT highlight(page, 1, '[', ']') FROM page WHERE page MATCH '"computed twice" OR translat*' ORDER BY rowid;
SELECT title, round(bm25(page, 10.0, 1.0), 6) FROM page WHERE page MATCH 'program NOT food';
SELECT title FROM page WHERE page MATCH 'title : c*' ORDER BY rowid;
SELECT title FROM page WHERE page MATCH 'NEAR(room food, 4)' ORDER BY rowid;
DELETE FROM page WHERE title = 'Cache';
INSERT INTO page(page) VALUES ('optimize');
INSERT INTO page(page) VALUES ('integrity-check');
SELECT count(*) FROM page;
CREATE VIRTUAL TABLE box USING rtree(id, x0, x1, y0, y1);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400)
INSERT INTO box SELECT i, i % 20, i % 20 + 1.5, i / 20, i / 20 + 1.5 FROM n;
SELECT count(*), min(id), max(id) FROM box WHERE x0 <= 7 AND x1 >= 5 AND y0 <= 9 AND y1 >= 8;
