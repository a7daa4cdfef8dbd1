/** Reads as much of a GGUF file as it takes to damage it on purpose. */

const STRING = 8;
const ARRAY = 9;
/** Bytes of a value, by the type's number in the file. */
const SCALAR_BYTES = new Map([
  [0, 1], // u8
  [1, 1], // i8
  [2, 2], // u16
  [3, 2], // i16
  [4, 4], // u32
  [5, 4], // i32
  [6, 4], // f32
  [7, 1], // bool
  [10, 8], // u64
  [11, 8], // i64
  [12, 8], // f64
]);

/** A position in the file that moves on as values are read. */
class Cursor {
  offset = 0;

  /** @param {Buffer} file */
  constructor(file) {
    this.file = file;
  }

  u32() {
    this.offset += 4;
    return this.file.readUInt32LE(this.offset - 4);
  }

  u64() {
    this.offset += 8;
    return Number(this.file.readBigUInt64LE(this.offset - 8));
  }

  string() {
    const bytes = this.u64();
    this.offset += bytes;
    return this.file.toString("utf8", this.offset - bytes, this.offset);
  }

  /** @param {number} type */
  skipValue(type) {
    if (type === STRING) {
      this.string();
    } else if (type === ARRAY) {
      const elementType = this.u32();
      for (let left = this.u64(); left > 0; left--) this.skipValue(elementType);
    } else {
      const bytes = SCALAR_BYTES.get(type);
      if (bytes === undefined) throw new Error(`there is no GGUF value type ${type}`);
      this.offset += bytes;
    }
  }
}

/**
 * @typedef {object} Layout
 * @property {number} dataOffset where the tensors' data begins
 * @property {{ start: number, end: number }} architecture where the value of `general.architecture` is
 * @property {Map<string, number>} typeOffsets for each tensor, where the number of its type is
 */

/**
 * @param {Buffer} file
 * @returns {Layout}
 */
export function readLayout(file) {
  const cursor = new Cursor(file);
  if (file.toString("latin1", 0, 4) !== "GGUF") throw new Error("not a GGUF file");
  cursor.offset = 8; // past the magic and the version
  const tensorCount = cursor.u64();
  const metadataCount = cursor.u64();

  let architecture = { start: 0, end: 0 };
  let alignment = 32;
  for (let index = 0; index < metadataCount; index++) {
    const key = cursor.string();
    const type = cursor.u32();
    const start = cursor.offset;
    cursor.skipValue(type);
    // A string's value comes after the eight bytes of its length.
    if (key === "general.architecture") architecture = { start: start + 8, end: cursor.offset };
    if (key === "general.alignment") alignment = file.readUInt32LE(start);
  }

  const typeOffsets = new Map();
  for (let index = 0; index < tensorCount; index++) {
    const name = cursor.string();
    const dimensions = cursor.u32();
    cursor.offset += 8 * dimensions;
    typeOffsets.set(name, cursor.offset);
    cursor.offset += 4 + 8; // the type and the offset of the data
  }
  return { dataOffset: Math.ceil(cursor.offset / alignment) * alignment, architecture, typeOffsets };
}

/**
 * The same file of an architecture that nobody has heard of.
 * @param {Buffer} file
 */
export function withUnknownArchitecture(file) {
  const { architecture } = readLayout(file);
  const edited = Buffer.from(file);
  edited.fill("z", architecture.start, architecture.end);
  return edited;
}

/**
 * The same file with one tensor declared to be of another type.
 * @param {Buffer} file
 * @param {string} tensor
 * @param {number} type
 */
export function withTensorType(file, tensor, type) {
  const offset = readLayout(file).typeOffsets.get(tensor);
  if (offset === undefined) throw new Error(`the file has no tensor ${tensor}`);
  const edited = Buffer.from(file);
  edited.writeUInt32LE(type, offset);
  return edited;
}

/**
 * The same file with one byte changed.
 * @param {Buffer} file
 * @param {number} offset
 */
export function withFlippedByte(file, offset) {
  const edited = Buffer.from(file);
  edited[offset] ^= 0xff;
  return edited;
}
