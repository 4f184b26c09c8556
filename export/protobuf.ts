/**
 * The protobuf wire format, as much of it as writing ONNX takes: varints, length-delimited fields
 * and 32-bit floats (https://protobuf.dev/programming-guides/encoding/).
 */
export class ProtobufWriter {
  private readonly parts: Uint8Array[] = [];

  /** int32, int64, enum, bool. Negative numbers take ten bytes, as the format wants it. */
  integer(field: number, value: number | bigint): this {
    this.tag(field, 0);
    this.parts.push(varint(value));
    return this;
  }

  float(field: number, value: number): this {
    this.tag(field, 5);
    this.parts.push(new Uint8Array(littleEndian(Float32Array.of(value))));
    return this;
  }

  bytes(field: number, value: Uint8Array): this {
    this.tag(field, 2);
    this.parts.push(varint(value.length), value);
    return this;
  }

  string(field: number, value: string): this {
    return this.bytes(field, new TextEncoder().encode(value));
  }

  message(field: number, value: ProtobufWriter): this {
    return this.bytes(field, value.finish());
  }

  /** A repeated integer field in packed form, proto3's default. */
  packedIntegers(field: number, values: readonly (number | bigint)[]): this {
    return this.bytes(field, concatenate(values.map(varint)));
  }

  finish(): Uint8Array {
    return concatenate(this.parts);
  }

  private tag(field: number, wireType: 0 | 2 | 5): void {
    this.parts.push(varint((field << 3) | wireType));
  }
}

function varint(value: number | bigint): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}

/** The bytes of a typed array in little-endian order, which protobuf and ONNX both want. */
export function littleEndian(array: NodeJS.TypedArray): Uint8Array {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice();
  const hostIsLittle = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  if (hostIsLittle || array.BYTES_PER_ELEMENT === 1) return bytes;
  for (let at = 0; at < bytes.length; at += array.BYTES_PER_ELEMENT) {
    bytes.subarray(at, at + array.BYTES_PER_ELEMENT).reverse();
  }
  return bytes;
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
