// As much CBOR as a sealed photo needs: integers, strings, arrays, maps with sorted keys, tags.

export function encode(value) {
  if (typeof value === "number") return value >= 0 ? head(0, value) : head(1, -1 - value);
  if (typeof value === "string") return withHead(3, Buffer.from(value, "utf8"));
  if (value instanceof Uint8Array) return withHead(2, Buffer.from(value));
  if (Array.isArray(value)) return Buffer.concat([head(4, value.length), ...value.map(encode)]);
  if (value instanceof Map) {
    const pairs = [...value].map(([key, item]) => [encode(key), encode(item)]);
    pairs.sort((a, b) => Buffer.compare(a[0], b[0]));
    return Buffer.concat([head(5, pairs.length), ...pairs.flat()]);
  }
  if (value instanceof Tag) return Buffer.concat([head(6, value.number), encode(value.value)]);
  throw new Error(`no encoding for ${typeof value}`);
}

export class Tag {
  constructor(number, value) {
    this.number = number;
    this.value = value;
  }
}

export function decode(data) {
  const state = { data: Buffer.from(data), at: 0 };
  const value = read(state);
  if (state.at !== state.data.length) throw new Error("bytes left over");
  return value;
}

function read(state) {
  const first = state.data[state.at++];
  const major = first >> 5;
  const argument = readArgument(state, first & 31);
  switch (major) {
    case 0:
      return argument;
    case 1:
      return -1 - argument;
    case 2:
      return take(state, argument);
    case 3:
      return take(state, argument).toString("utf8");
    case 4:
      return Array.from({ length: argument }, () => read(state));
    case 5:
      return new Map(Array.from({ length: argument }, () => [read(state), read(state)]));
    case 6:
      return new Tag(argument, read(state));
    default:
      throw new Error("not a value of ours");
  }
}

function readArgument(state, extra) {
  if (extra < 24) return extra;
  const size = { 24: 1, 25: 2, 26: 4, 27: 8 }[extra];
  if (!size) throw new Error("not a head of ours");
  const bytes = take(state, size);
  return Number(bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n));
}

function take(state, length) {
  state.at += length;
  if (state.at > state.data.length) throw new Error("ends too early");
  return state.data.subarray(state.at - length, state.at);
}

function withHead(major, bytes) {
  return Buffer.concat([head(major, bytes.length), bytes]);
}

function head(major, argument) {
  const first = major << 5;
  if (argument < 24) return Buffer.from([first | argument]);
  for (const [extra, size] of [[24, 1], [25, 2], [26, 4], [27, 8]]) {
    if (BigInt(argument) < 1n << BigInt(8 * size)) {
      const bytes = Buffer.alloc(1 + size, first | extra);
      for (let i = 0; i < size; i++) {
        bytes[size - i] = Number((BigInt(argument) >> BigInt(8 * i)) & 255n);
      }
      return bytes;
    }
  }
  throw new Error("too large");
}
