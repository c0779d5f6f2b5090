/** Turns what the parser counts, bytes of UTF-8 and characters, into places of a JavaScript string. */

/** Where something stands in a text: line and column from 1, as editors count. */
export interface Place {
  readonly line: number;
  readonly column: number;
}

/** The place of an index of a text. A line ends with LF, CRLF or CR. */
export function placeAt(text: string, index: number): Place {
  const lines = text.slice(0, index).split(/\r\n|\n|\r/);
  return { line: lines.length, column: (lines[lines.length - 1] ?? "").length + 1 };
}

/** The line of a text in which an index is. */
export function lineAt(text: string, index: number): string {
  const from = Math.max(text.lastIndexOf("\n", index - 1), text.lastIndexOf("\r", index - 1)) + 1;
  const end = text.slice(index).search(/[\r\n]/);
  return text.slice(from, end === -1 ? undefined : index + end);
}

/** How to find the index of a byte of the text in UTF-8. */
export function byteIndex(text: string): (byte: number) => number {
  // The parser counts bytes; most SQL has as many as characters.
  if (/^[\x00-\x7f]*$/.test(text)) return (byte) => byte;
  const indexes = new Uint32Array(Buffer.byteLength(text) + 1);
  let byte = 0;
  for (let index = 0; index < text.length; ) {
    const code = text.codePointAt(index) ?? 0;
    const bytes = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    indexes.fill(index, byte, byte + bytes);
    byte += bytes;
    index += code > 0xffff ? 2 : 1;
  }
  indexes[byte] = text.length;
  return (at) => indexes[at] ?? text.length;
}

/** The index of a character of the text, where the parser counts characters: one beyond U+FFFF has two indexes. */
export function characterIndex(text: string, character: number): number {
  let index = 0;
  for (let seen = 0; seen < character && index < text.length; seen += 1)
    index += (text.codePointAt(index) ?? 0) > 0xffff ? 2 : 1;
  return index;
}
