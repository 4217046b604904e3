select city, count(*), sum(price * units), avg(price) from sales group by city;

select sum(units) from sales where product = 'tea' and (price > 3 or city = 'Rome');

select product, sum(amount) from stock where amount > 50 group by product;
