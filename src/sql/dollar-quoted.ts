/** A body between dollar signs, with a tag that is not in it: people read bodies in psql, and a name may hold any tag. */
export function dollarQuoted(body: string): string {
  let tag = "$$";
  for (let n = 0; body.includes(tag); n += 1) tag = `$body${n === 0 ? "" : n}$`;
  return `${tag}\n${body.trim()}\n${tag}`;
}

/** A block of PL/pgSQL that is run at once. */
export function doBlock(body: string): string {
  return `DO ${dollarQuoted(body)}`;
}
