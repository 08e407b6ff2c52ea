/** Files as one `.tar.gz`: ustar (POSIX.1-1988), regular files only, nothing of who made it. */

import { gzipSync } from "node:zlib";

export interface TarFile {
  /** Relative, ASCII, at most 100 bytes. */
  readonly name: string;
  readonly content: string;
}

const BLOCK = 512;

/** @param time unix ms of all files */
export function tarGz(files: readonly TarFile[], time: number): Buffer {
  const parts = files.flatMap(({ name, content }) => {
    const bytes = Buffer.from(content);
    return [header(name, bytes.length, time), bytes, Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK)];
  });
  return gzipSync(Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]));
}

function header(name: string, size: number, time: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const path = Buffer.from(name, "ascii");
  if (path.length > 100) throw new RangeError(`${name} is longer than a name may be`);
  path.copy(block);
  const field = (at: number, value: number, width: number): void => {
    block.write(`${value.toString(8).padStart(width - 1, "0")}\0`, at, "ascii");
  };
  field(100, 0o600, 8);
  field(108, 0, 8);
  field(116, 0, 8);
  field(124, size, 12);
  field(136, Math.floor(time / 1_000), 12);
  block.fill(" ", 148, 156); // the checksum counts itself as blanks
  block.write("0", 156, "ascii");
  block.write("ustar\0" + "00", 257, "ascii");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "ascii");
  return block;
}
