"""Reads a GGUF file, lets its keys and tensors be changed, writes it again. For tests that need a real
model with something bent. Tensors keep their bytes; everything is aligned to 32."""
import struct

U8, I8, U16, I16, U32, I32, F32, BOOL, STR, ARR, U64, I64, F64 = range(13)
FORMAT = {U8: "B", I8: "b", U16: "H", I16: "h", U32: "I", I32: "i", F32: "f", BOOL: "B", U64: "Q", I64: "q", F64: "d"}
ALIGN = 32


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, kind):
        value, = struct.unpack_from("<" + FORMAT[kind], self.data, self.at)
        self.at += struct.calcsize("<" + FORMAT[kind])
        return value

    def text(self):
        n = self.number(U64)
        self.at += n
        return self.data[self.at - n:self.at]

    def value(self, kind):
        if kind == STR:
            return self.text()
        if kind != ARR:
            return self.number(kind)
        item, n = self.number(U32), self.number(U64)
        return item, [self.value(item) for _ in range(n)]


def put(kind, value):
    if kind == STR:
        value = value.encode() if isinstance(value, str) else value
        return struct.pack("<Q", len(value)) + value
    if kind != ARR:
        return struct.pack("<" + FORMAT[kind], value)
    item, values = value
    return struct.pack("<IQ", item, len(values)) + b"".join(put(item, v) for v in values)


class Gguf:
    """keys: name -> (type, value), an array's value is (item type, list). tensors: name -> (dims, type, bytes)."""

    def __init__(self, path=None):
        self.keys, self.tensors = {}, {}
        if path is None:
            return
        r = Reader(open(path, "rb").read())
        assert r.data[:4] == b"GGUF"
        r.at = 8
        n_tensors, n_keys = r.number(U64), r.number(U64)
        for _ in range(n_keys):
            name = r.text().decode()
            kind = r.number(U32)
            self.keys[name] = (kind, r.value(kind))
        found = []
        for _ in range(n_tensors):
            name = r.text().decode()
            dims = [r.number(U64) for _ in range(r.number(U32))]
            found.append((r.number(U32), r.number(U64), name, dims))
        start = -(-r.at // ALIGN) * ALIGN
        ends = sorted(f[1] for f in found)[1:] + [len(r.data) - start]
        end_of = dict(zip(sorted(f[1] for f in found), ends))
        for kind, offset, name, dims in found:
            self.tensors[name] = (dims, kind, r.data[start + offset:start + end_of[offset]])

    def get(self, name):
        kind, value = self.keys[name]
        return value[1] if kind == ARR else value

    def set(self, name, kind, value):
        self.keys[name] = (kind, value)
        return self

    def drop(self, name):
        del self.keys[name]
        return self

    def write(self, path):
        head, body = bytearray(struct.pack("<4sIQQ", b"GGUF", 3, len(self.tensors), len(self.keys))), bytearray()
        for name, (kind, value) in self.keys.items():
            head += put(STR, name) + struct.pack("<I", kind) + put(kind, value)
        for name, (dims, kind, data) in self.tensors.items():
            head += put(STR, name) + struct.pack("<I%dQIQ" % len(dims), len(dims), *dims, kind, len(body))
            body += data + bytes(-len(data) % ALIGN)
        with open(path, "wb") as f:
            f.write(head + bytes(-len(head) % ALIGN) + body)
        return path
