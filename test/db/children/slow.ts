/** A migration that writes for a while and fails never. */
export const slow = {
  name: "0002_slow.expand",
  text: `create table slow_rows (id int primary key, filler text);
    insert into slow_rows select n, repeat('y', 200) from generate_series(1, 60000) n;
    create index slow_rows_filler on slow_rows (filler, id);`,
};
