// The hybrid suite and the sealed photo by other hands: @hpke/core, its X-Wing KEM, Node's ciphers.
//
//     node hybrid.mjs          reads one request per line (JSON), answers one line each
//     node hybrid.mjs --make   prints the vectors that are kept in hybrid.json
//
// Written from docs/spec/envelope.md; nothing here is shared with the product.

import { createCipheriv, createDecipheriv, createHash, randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import { Aes256Gcm, CipherSuite, HkdfSha256 } from "@hpke/core";
import { XWing } from "@hpke/hybridkem-x-wing";
import { decode, encode, Tag } from "./cbor.mjs";

const HYBRID = -65536 - 0x647a;
const CIPHERS = { 3: "aes-256-gcm", 24: "chacha20-poly1305" };
const CONTENT_TYPE = "application/vnd.wardseal.photo+cbor";
const suite = new CipherSuite({
  kem: new XWing(),
  kdf: new HkdfSha256(),
  aead: new Aes256Gcm(),
});

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const bytes = (text) => new Uint8Array(Buffer.from(text, "hex"));

const does = {
  async public({ seed }) {
    const pair = await suite.kem.generateKeyPairDerand(bytes(seed));
    return { public: hex(await suite.kem.serializePublicKey(pair.publicKey)) };
  },

  async seal({ public: raw, info, plaintext }) {
    const recipientPublicKey = await suite.kem.deserializePublicKey(bytes(raw));
    const sender = await suite.createSenderContext({ recipientPublicKey, info: bytes(info) });
    return { enc: hex(sender.enc), ciphertext: hex(await sender.seal(bytes(plaintext))) };
  },

  async open({ seed, info, enc, ciphertext }) {
    const recipientKey = await suite.kem.deserializePrivateKey(bytes(seed));
    const asked = { recipientKey, enc: bytes(enc), info: bytes(info) };
    const recipient = await suite.createRecipientContext(asked);
    return { plaintext: hex(await recipient.open(bytes(ciphertext))) };
  },

  // `ws` is the encoded header of ours, `content` the encoded [private header, JPEG].
  async sealEnvelope({ publics, alg, ws, content }) {
    const key = randomBytes(32);
    const iv = randomBytes(12);
    const header = encode(new Map([[1, alg], [3, CONTENT_TYPE], ["ws", decode(bytes(ws))]]));
    const cipher = createCipheriv(CIPHERS[alg], key, iv, { authTagLength: 16 });
    cipher.setAAD(encode(["Encrypt", header, new Uint8Array()]));
    const parts = [cipher.update(bytes(content)), cipher.final(), cipher.getAuthTag()];
    const boxes = [];
    for (const raw of publics) {
      const protectedHeader = encode(new Map([[1, HYBRID], [4, thumbprint(bytes(raw))]]));
      const info = hex(encode(["HPKE Recipient", alg, protectedHeader, new Uint8Array()]));
      const { enc, ciphertext } = await does.seal({ public: raw, info, plaintext: hex(key) });
      boxes.push([protectedHeader, new Map([[-4, bytes(enc)]]), bytes(ciphertext)]);
    }
    const array = [header, new Map([[5, iv]]), Buffer.concat(parts), boxes];
    return { envelope: hex(encode(new Tag(96, array))) };
  },

  async openEnvelope({ seed, envelope }) {
    const { number, value } = decode(bytes(envelope));
    if (number !== 96) throw new Error("not a COSE_Encrypt");
    const [header, unprotected, ciphertext, boxes] = value;
    const alg = decode(header).get(1);
    const kid = thumbprint(bytes((await does.public({ seed })).public));
    const box = boxes.find(([own]) => Buffer.compare(decode(own).get(4), kid) === 0);
    if (!box || decode(box[0]).get(1) !== HYBRID) throw new Error("not sealed to this key");
    const info = hex(encode(["HPKE Recipient", alg, box[0], new Uint8Array()]));
    const [enc, wrapped] = [hex(box[1].get(-4)), hex(box[2])];
    const { plaintext } = await does.open({ seed, info, enc, ciphertext: wrapped });
    const iv = unprotected.get(5);
    const cipher = createDecipheriv(CIPHERS[alg], bytes(plaintext), iv, { authTagLength: 16 });
    cipher.setAAD(encode(["Encrypt", header, new Uint8Array()]));
    cipher.setAuthTag(ciphertext.subarray(-16));
    const content = [cipher.update(ciphertext.subarray(0, -16)), cipher.final()];
    return { ws: hex(encode(decode(header).get("ws"))), content: hex(Buffer.concat(content)) };
  },
};

function thumbprint(raw) {
  const key = encode(new Map([[1, 7], [3, HYBRID], [-1, raw]]));
  return createHash("sha256").update(key).digest();
}

async function make() {
  const seeds = Array.from({ length: 4 }, () => hex(randomBytes(32)));
  const publics = [];
  const wraps = [];
  for (const [i, seed] of seeds.entries()) {
    const { public: raw } = await does.public({ seed });
    publics.push(raw);
    const asked = { info: hex(randomBytes(16 * i)), plaintext: hex(randomBytes(32)) };
    wraps.push({ seed, public: raw, ...asked, ...(await does.seal({ public: raw, ...asked })) });
  }
  const envelopes = [];
  const inside = new Map([["bed", "W7-12"], ["quality", new Map([["blur", 12]])]]);
  const content = encode([inside, Buffer.from("ffd8ffd9", "hex")]);
  const ws = new Map([
    ["boot", randomBytes(16)], ["consent", randomBytes(32)], ["device", "ward-7"], ["epoch", 3],
    ["intent", randomBytes(32)], ["keyset", randomBytes(32)], ["length", content.length],
    ["seq", 3], ["time_ms", 1767225600000], ["trust", "synced"], ["version", 1],
  ]);
  for (const alg of [3, 24]) {
    const asked = { publics: publics.slice(0, 2), alg, ws: hex(encode(ws)), content: hex(content) };
    const { envelope } = await does.sealEnvelope(asked);
    envelopes.push({ seeds: seeds.slice(0, 2), alg, ws: asked.ws, content: asked.content, envelope });
  }
  return { wraps, envelopes };
}

if (process.argv[2] === "--make") {
  process.stdout.write(JSON.stringify(await make(), null, 1) + "\n");
} else {
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line);
    let answer;
    try {
      answer = await does[request.do](request);
    } catch (error) {
      answer = { error: String(error) };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
}
