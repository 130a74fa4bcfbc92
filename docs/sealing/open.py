#!/usr/bin/env python3
"""Opens sealed exchanges, offers, refusals and receipt bundles, after docs/sealing.md and nothing else.

    python3 open.py FILE.json...

Each file is a vector of docs/sealing.md, section 9. Prints one line per file; exit code 1 when one does not open or says
something else than its expected members. Needs `cryptography` 47 or above, for ML-KEM; the rest is the standard library.
"""

import hashlib
import hmac
import json
import struct
import sys

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Refused(Exception):
    """What was read is not what it should be."""


def need(condition, why):
    if not condition:
        raise Refused(why)


# --- 1. conventions ---


def D(name):
    return b"cocoon seal v1: " + name.encode() + b"\0"


def sha256(data):
    return hashlib.sha256(data).digest()


def H(name, *parts):
    return sha256(D(name) + b"".join(parts))


def hkdf_extract(salt, secret):
    return hmac.digest(salt, secret, "sha256")


def hkdf_expand(prk, info, length):
    out, block, n = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes([n]), "sha256")
        out, n = out + block, n + 1
    return out[:length]


def extract(name, secret):
    return hkdf_extract(D(name), secret)


def expand(prk, name, *info_and_length):
    *info, length = info_and_length
    return hkdf_expand(prk, D(name) + b"".join(info), length)


def open_sealed(key, iv, n, aad, sealed):
    nonce = iv[:4] + bytes(a ^ b for a, b in zip(iv[4:], struct.pack(">Q", n)))
    return AESGCM(key).decrypt(nonce, sealed, aad)


def signed_by(key, signature, text):
    Ed25519PublicKey.from_public_bytes(key).verify(signature, text)


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        need(self.at + n <= len(self.data), "too short")
        self.at += n
        return self.data[self.at - n : self.at]

    def domain(self, name):
        need(self.take(len(D(name))) == D(name), "not a " + name)

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def b16(self):
        return self.take(self.number(2))

    def b32(self):
        return self.take(self.number(4))

    def end(self):
        need(self.at == len(self.data), "bytes left over")


# --- 2. sealing keys ---


def read_sealing_key(data):
    r = Reader(data)
    r.domain("sealing key")
    need(r.number(2) == 1, "suite")
    key = {"not_before": r.number(8), "not_after": r.number(8), "receipt_key": r.take(32), "public": r.take(1216)}
    r.end()
    need(0 < key["not_after"] - key["not_before"] <= 600, "life")
    key["id"] = sha256(data)
    return key


class XWing:
    """ML-KEM-768 with X25519, from the 32-byte seed."""

    def __init__(self, seed):
        expanded = hashlib.shake_256(seed).digest(96)
        self.m = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        self.x = X25519PrivateKey.from_private_bytes(expanded[64:])
        self.public_x = self.x.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.public = self.m.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) + self.public_x

    def decapsulate(self, enc):
        enc_m, enc_x = enc[:1088], enc[1088:]
        secret_m = self.m.decapsulate(enc_m)
        secret_x = self.x.exchange(X25519PublicKey.from_public_bytes(enc_x))
        return hashlib.sha3_256(secret_m + secret_x + enc_x + self.public_x + rb"\.//^" + b"\\").digest()


class Hpke:
    """RFC 9180, base mode, receiver; KEM 0x647a, KDF 1, AEAD 2."""

    suite = b"HPKE" + struct.pack(">HHH", 0x647A, 1, 2)

    def __init__(self, secret, info):
        context = b"\0" + self.labeled_extract(b"", b"psk_id_hash", b"") + self.labeled_extract(b"", b"info_hash", info)
        prk = self.labeled_extract(secret, b"secret", b"")
        self.key = self.labeled_expand(prk, b"key", context, 32)
        self.nonce = self.labeled_expand(prk, b"base_nonce", context, 12)
        self.exporter = self.labeled_expand(prk, b"exp", context, 32)

    def labeled_extract(self, salt, label, ikm):
        return hkdf_extract(salt, b"HPKE-v1" + self.suite + label + ikm)

    def labeled_expand(self, prk, label, info, length):
        return hkdf_expand(prk, struct.pack(">H", length) + b"HPKE-v1" + self.suite + label + info, length)

    def open_first(self, aad, sealed):
        return AESGCM(self.key).decrypt(self.nonce, sealed, aad)

    def export(self, name, length):
        return self.labeled_expand(self.exporter, b"sec", D(name), length)


# --- 3. request ---


def bucket(x):
    if x <= 256:
        return 256
    e = x.bit_length() - 1
    s = e.bit_length()
    step = 1 << (e - s)
    return -(-x // step) * step


def read_head(data):
    r = Reader(data)
    r.domain("request head")
    head = {"request_id": r.take(32), "endpoint": r.b16(), "model": r.b16(), "max_tokens": r.number(4)}
    head.update(floor=r.number(1), flags=r.number(1), max_coefficient=r.number(4), deadline=r.number(8))
    head.update(body_bytes=r.number(8), offer=r.take(32))
    head["candidates"] = [r.take(32) for _ in range(r.number(1))]
    r.end()
    need(bucket(head["body_bytes"]) == head["body_bytes"], "body size")
    need(head["floor"] <= 2 and head["flags"] <= 3, "tier or flags")
    need(1 <= len(set(head["candidates"])) == len(head["candidates"]) <= 8, "candidates")
    head["hash"] = sha256(data)
    return head


def unwrap_cold(seed, key, head_hash, wrap):
    need(wrap[0] == 1 and len(wrap) == 1 + 1120 + 49, "not a cold wrap")
    kem = XWing(seed)
    need(kem.public == key["public"], "the seed is not that of the sealing key")
    context = Hpke(kem.decapsulate(wrap[1:1121]), D("wrap") + key["id"])
    text = context.open_first(D("wrap aad") + head_hash + key["id"], wrap[1121:])
    session = (context.export("session id", 16), context.export("session secret", 32)) if text[32] & 1 else None
    return text[:32], context.export("answer secret", 32), session


def unwrap_warm(session, key, head_hash, wrap):
    need(wrap[0] == 2 and len(wrap) == 1 + 16 + 32 + 49, "not a warm wrap")
    session_id, secret = session
    need(wrap[1:17] == session_id, "unknown session")
    salt = wrap[17:49]
    keys = expand(extract("warm wrap", secret), "warm wrap", salt, head_hash, 32 + 12 + 32)
    text = open_sealed(keys[:32], keys[32:44], 0, D("wrap aad") + head_hash + key["id"], wrap[49:])
    return text[:32], keys[44:], None


def strip(padded):
    text = padded.rstrip(b"\0")
    need(text[-1:] == b"\x80", "padding")
    return text[:-1]


def open_body(content_key, head, pieces):
    content = extract("content", content_key)
    keys = expand(content, "body key", head["hash"], 32 + 12)
    salt = expand(content, "request salt", head["hash"], 32)
    padded = b""
    for i, piece in enumerate(pieces):
        kind = piece[0]
        need(len(piece) <= 65536 and kind == (i == len(pieces) - 1), "pieces")
        aad = D("body piece") + struct.pack(">QB", i, kind)
        padded += open_sealed(keys[:32], keys[32:], i, aad, piece[1:])
    need(len(padded) == head["body_bytes"], "body size")
    body = strip(padded)
    need(bucket(len(body) + 1) == len(padded), "padding")
    return body, salt


def request_hash_of(head_hash, salt_digest, text):
    return H("request", head_hash, salt_digest, text)


# --- 4. answer ---


def read_answer_head(data):
    r = Reader(data)
    r.domain("answer head")
    head = {"request_hash": r.take(32), "key_id": r.take(32), "nonce": r.take(32), "status": r.number(2)}
    head.update(tier=r.number(1), coefficient=r.number(4), content_type=r.b16())
    r.end()
    return head


def open_answer(content_key, answer_secret, head, head_bytes, parts):
    prk = extract("answer key", content_key + answer_secret)
    info = (head["key_id"], head["request_hash"], head["nonce"], sha256(head_bytes))
    keys = expand(prk, "answer key", *info, 32 + 12 + 32)
    contents, receipt = b"", None
    for i, part in enumerate(parts):
        need(receipt is None, "something after the end")
        aad = D("answer part") + struct.pack(">QB", i, part[0])
        text = strip(open_sealed(keys[:32], keys[32:44], i, aad, part[1:]))
        if part[0] == 0:
            contents += text
        elif part[0] == 1:
            receipt = text
        else:
            raise Refused("the worker broke off")
    need(receipt is not None, "the answer was cut")
    return contents, keys[44:], receipt


def answer_hash_of(request_hash, head_bytes, salt_digest, text):
    return H("answer", request_hash, sha256(head_bytes), salt_digest, text)


# --- 6. offers ---


def read_offers(data):
    text, signature = data[:-64], data[-64:]
    r = Reader(text)
    r.domain("offer list")
    offers = {"proxy": r.take(32), "model": r.b16(), "epoch_seconds": r.number(2), "epoch": r.number(8)}
    entries = {}
    ids = []
    for _ in range(r.number(2)):
        key_id = r.take(32)
        ids.append(key_id)
        entries[key_id] = {"statement": r.take(32), "score": r.number(4), "coefficient": r.number(4), "tier": r.number(1)}
    r.end()
    need(ids == sorted(set(ids)), "order of offers")
    signed_by(offers["proxy"], signature, text)
    offers.update(ids=ids, entries=entries, digest=H("offer", text))
    return offers


def draw(scores, k, random):
    left = [(i, score) for i, score in enumerate(scores) if score > 0]
    drawn = []
    while len(drawn) < k and left:
        r, random = int.from_bytes(random[:16], "big"), random[16:]
        point = r * sum(score for _, score in left) >> 128
        for at, (_, score) in enumerate(left):
            if point < score:
                break
            point -= score
        drawn.append(left.pop(at)[0])
    return drawn


# --- 7. receipts ---


def read_receipt(data):
    r = Reader(data)
    r.domain("receipt")
    names = "request_id request_hash answer_hash key_id statement offer model engine evidence"
    receipt = {name: r.take(32) for name in names.split()}
    receipt.update({name: r.number(1) for name in "tier engine_place accelerators outcome finish".split()})
    receipt["usage"] = [r.number(8) for _ in range(4)]
    receipt.update(coefficient=r.number(4), parts=r.number(8), bytes=r.number(8), block_seqno=r.number(4))
    receipt.update(block=r.take(32), started=r.number(8), ended=r.number(8))
    r.end()
    receipt["leaf"] = H("receipt leaf", data)
    return receipt


def climb(leaf, index, count, path):
    need(index < count, "index")
    if count == 1:
        need(not path, "path")
        return leaf
    need(path, "path")
    left = 1 << ((count - 1).bit_length() - 1)
    if index < left:
        return H("tree node", climb(leaf, index, left, path[:-1]), path[-1])
    return H("tree node", path[-1], climb(leaf, index - left, count - left, path[:-1]))


def check_countersign(data, role, signer, leaf):
    r = Reader(data)
    r.domain("batch")
    need(r.number(1) == role and r.take(32) == signer, "signed by somebody else")
    count, root, _ = r.number(4), r.take(32), r.number(8)
    text = data[: r.at]
    signature, index = r.take(64), r.number(4)
    path = [r.take(32) for _ in range(r.number(1))]
    r.end()
    signed_by(signer, signature, text)
    need(climb(leaf, index, count, path) == root, "not in the batch")


def read_charge(data):
    r = Reader(data)
    r.domain("charge")
    charge = {"leaf": r.take(32), "offer": r.take(32), "coefficient": r.number(4), "adjusted": r.number(8)}
    charge.update(nanoton=r.number(16), settled_at=r.number(8))
    r.end()
    charge["charge_leaf"] = H("charge leaf", data)
    return charge


# --- 9. vectors ---


def exchange(v):
    key = read_sealing_key(v["sealing_key"])
    head = read_head(v["head"])
    need(key["id"] in head["candidates"], "no candidate")
    if "earlier" in v:
        earlier = read_head(bytes.fromhex(v["earlier"]["head"]))
        wrap = bytes.fromhex(v["earlier"]["wrap"])
        _, _, session = unwrap_cold(v["seed"], key, earlier["hash"], wrap)
        content_key, answer_secret, _ = unwrap_warm(session, key, head["hash"], v["wrap"])
    else:
        content_key, answer_secret, _ = unwrap_cold(v["seed"], key, head["hash"], v["wrap"])
    body, salt = open_body(content_key, head, v["pieces"])
    request_hash = request_hash_of(head["hash"], H("salt", salt), H("request text", salt, body))
    answer_head = read_answer_head(v["answer_head"])
    need(answer_head["request_hash"] == request_hash, "an answer to another request")
    need(answer_head["key_id"] == key["id"], "an answer of another worker")
    answer, salt, data = open_answer(content_key, answer_secret, answer_head, v["answer_head"], v["parts"])
    text = H("answer text", salt, answer)
    answer_hash = answer_hash_of(request_hash, v["answer_head"], H("salt", salt), text)
    receipt = read_receipt(data)
    said = [receipt[name] for name in ("request_id", "request_hash", "answer_hash", "key_id", "offer")]
    need(said == [head["request_id"], request_hash, answer_hash, key["id"], head["offer"]], "receipt")
    need(receipt["bytes"] == len(answer) and receipt["parts"] == len(v["parts"]) - 1, "receipt: parts, bytes")
    found = {"body": body, "answer": answer, "request_hash": request_hash, "answer_hash": answer_hash}
    found.update(key_id=key["id"], leaf=receipt["leaf"], usage=receipt["usage"])
    if "body_of" in v:
        found["body_of"] = [body[0], len(body)]
        need(body == body[:1] * len(body), "body")
    return found


def offers(v):
    found = read_offers(v["list"])
    need(found["proxy"] == v["proxy"], "another proxy")
    for one in v["draws"]:
        need(draw(one["scores"], one["k"], bytes.fromhex(one["random"])) == one["drawn"], "draw")
    ids = [key_id.hex() for key_id in found["ids"]]
    return {"epoch": found["epoch"], "digest": found["digest"], "key_ids": ids, "model": found["model"].decode()}


def refusal(v):
    data, key = v["refusal"], read_sealing_key(v["sealing_key"])
    r = Reader(data)
    r.domain("refusal")
    need(r.take(32) == sha256(v["head"]) and r.take(32) == key["id"], "of another request or worker")
    found = {"code": r.number(2), "at": r.number(8)}
    r.take(64)
    r.end()
    signed_by(key["receipt_key"], data[-64:], data[:-64])
    return found


def bundle(v):
    data = v["file"]
    need(H("bundle end", data[:-32]) == data[-32:], "damaged")
    r = Reader(data[:-32])
    r.domain("receipt bundle")
    head_bytes, answer_head_bytes, receipt_bytes, countersign = (r.b32() for _ in range(4))
    key_bytes, list_bytes, statement = (r.b32() for _ in range(3))
    items = []
    for _ in range(r.number(1)):
        start = r.at
        r.b16(), r.b32()
        items.append(H("evidence item", r.data[start : r.at]))
    charge, charge_sign = (r.b32(), r.b32()) if r.number(1) else (None, None)
    request_salt_digest, request_text, answer_salt_digest, answer_text = (r.take(32) for _ in range(4))
    salts = (r.take(32), r.take(32)) if r.number(1) else None
    r.end()

    head, said, receipt = read_head(head_bytes), read_answer_head(answer_head_bytes), read_receipt(receipt_bytes)
    key, listed = read_sealing_key(key_bytes), read_offers(list_bytes)
    request_hash = request_hash_of(head["hash"], request_salt_digest, request_text)
    answer_hash = answer_hash_of(request_hash, answer_head_bytes, answer_salt_digest, answer_text)
    need(receipt["request_hash"] == request_hash == said["request_hash"], "request")
    need(receipt["answer_hash"] == answer_hash and receipt["request_id"] == head["request_id"], "answer")
    need(receipt["key_id"] == key["id"] == said["key_id"] and key["id"] in head["candidates"], "worker")
    check_countersign(countersign, 0, key["receipt_key"], receipt["leaf"])
    entry = listed["entries"][key["id"]]
    need(listed["proxy"] == v["proxy"] and listed["digest"] == receipt["offer"] == head["offer"], "offer")
    need(entry["statement"] == receipt["statement"] == H("statement", statement), "statement")
    need(entry["coefficient"] == receipt["coefficient"] == said["coefficient"] <= head["max_coefficient"], "price")
    need(H("evidence set", bytes([len(items)]), *items) == receipt["evidence"], "evidence")
    need(key["not_before"] <= receipt["started"] < key["not_after"], "time")
    charge = (read_charge(charge), charge_sign)
    need(charge[0]["leaf"] == receipt["leaf"], "charge")
    check_countersign(charge[1], 1, v["proxy"], charge[0]["charge_leaf"])
    need((H("salt", salts[0]), H("salt", salts[1])) == (request_salt_digest, answer_salt_digest), "salts")
    need(H("request text", salts[0], v["body"]) == request_text, "another request")
    need(H("answer text", salts[1], v["answer"]) == answer_text, "another answer")
    return {"nanoton": charge[0]["nanoton"]}


def padding(v):
    return {"sizes": [[length, bucket(length + 1)] for length, _ in v["sizes"]]}


KINDS = {"exchange": exchange, "offers": offers, "refusal": refusal, "bundle": bundle, "padding": padding}
PLAIN = {"kind", "model"}


def from_hex(name, value):
    if isinstance(value, str) and name not in PLAIN:
        return bytes.fromhex(value)
    if name in ("pieces", "parts"):
        return [bytes.fromhex(one) for one in value]
    return value


def main(files):
    failed = False
    for file in files:
        try:
            with open(file, encoding="utf-8") as source:
                vector = {name: from_hex(name, value) for name, value in json.load(source).items()}
            need(vector["kind"] in KINDS, "no such kind")
            for name, value in KINDS[vector["kind"]](vector).items():
                need(name not in vector or vector[name] == value, "another " + name)
            print(file + ": opened")
        except (Refused, InvalidTag, InvalidSignature, ValueError, KeyError, IndexError, TypeError) as error:
            failed = True
            print(f"{file}: {type(error).__name__}: {error}")
    return 1 if failed or not files else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
