/**
 * A certificate authority for tests, by node:crypto alone: no runtime makes certificates, and a machine may lack openssl.
 * X.509 (RFC 5280) with P-256 keys, in DER (ITU X.690).
 */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto"

/** A certificate and its key, as PEM files hold them. */
export interface Issued {
  readonly cert: string
  readonly key: string
}

/** What a certificate says. */
export interface Asked {
  /** The URI names of its subject. */
  readonly uris?: ReadonlyArray<string>
  readonly dnsNames?: ReadonlyArray<string>
  /** In ms since 1970; from an hour ago to tomorrow by default. */
  readonly validFromMs?: number
  readonly validToMs?: number
}

export interface Authority {
  readonly cert: string
  readonly issue: (asked: Asked) => Issued
  /** A certificate for this node. */
  readonly issueFor: (nodeId: string) => Issued
}

const hourMs = 3_600_000

/** One element: a tag, a length, a content. */
const element = (tag: number, ...contents: ReadonlyArray<Uint8Array>): Buffer => {
  const content = Buffer.concat(contents)
  const { length } = content
  const long = length < 0x80 ? [] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...(long.length === 0 ? [length] : long)]), content])
}
const sequence = (...contents: ReadonlyArray<Uint8Array>) => element(0x30, ...contents)
const objectId = (hex: string) => element(0x06, Buffer.from(hex, "hex"))
const time = (ms: number) =>
  // UTCTime has two digits of the year, and ends in 2049.
  element(0x17, Buffer.from(`${new Date(ms).toISOString().slice(2, 19).replace(/[-:T]/g, "")}Z`))
const name = (text: string) => sequence(element(0x31, sequence(objectId("550403"), element(0x0c, Buffer.from(text)))))
const extension = (hex: string, isCritical: boolean, value: Uint8Array) =>
  sequence(objectId(hex), ...(isCritical ? [element(0x01, Buffer.from([0xff]))] : []), element(0x04, value))

/** ecdsa-with-SHA256 */
const algorithm = sequence(objectId("2a8648ce3d040302"))

const pem = (der: Uint8Array): string =>
  `-----BEGIN CERTIFICATE-----\n${Buffer.from(der)
    .toString("base64")
    .replace(/(.{64})(?=.)/g, "$1\n")}\n-----END CERTIFICATE-----\n`

const certificate = (options: {
  readonly issuer: string
  readonly subject: string
  readonly publicKey: KeyObject
  readonly signer: KeyObject
  readonly asked: Asked
  readonly extensions: ReadonlyArray<Uint8Array>
}): string => {
  const { asked, extensions, issuer, publicKey, signer, subject } = options
  const { validFromMs = Date.now() - hourMs, validToMs = Date.now() + 24 * hourMs } = asked
  const serial = randomBytes(8)
  serial[0] = (serial[0]! & 0x7f) | 0x40
  const signed = sequence(
    element(0xa0, element(0x02, Buffer.from([2]))),
    element(0x02, serial),
    algorithm,
    name(issuer),
    sequence(time(validFromMs), time(validToMs)),
    name(subject),
    publicKey.export({ type: "spki", format: "der" }),
    element(0xa3, sequence(...extensions))
  )
  const signature = sign("sha256", signed, signer)
  return pem(sequence(signed, algorithm, element(0x03, Buffer.from([0]), signature)))
}

const makeKeys = () => generateKeyPairSync("ec", { namedCurve: "P-256" })

const keyId = (key: KeyObject): Buffer =>
  createHash("sha1")
    .update(key.export({ type: "spki", format: "der" }))
    .digest()

/** Makes an authority of its own. */
export const makeAuthority = (subject = "lithair test"): Authority => {
  const { privateKey, publicKey } = makeKeys()
  const cert = certificate({
    issuer: subject,
    subject,
    publicKey,
    signer: privateKey,
    asked: {},
    extensions: [
      extension("551d13", true, sequence(element(0x01, Buffer.from([0xff])))),
      extension("551d0e", false, element(0x04, keyId(publicKey)))
    ]
  })
  const issue = (asked: Asked): Issued => {
    const own = makeKeys()
    const names = [
      ...(asked.uris ?? []).map((uri) => element(0x86, Buffer.from(uri))),
      ...(asked.dnsNames ?? []).map((dns) => element(0x82, Buffer.from(dns)))
    ]
    const issued = certificate({
      issuer: subject,
      subject: "node",
      publicKey: own.publicKey,
      signer: privateKey,
      asked,
      extensions: [
        extension("551d13", true, sequence()),
        extension("551d23", false, sequence(element(0x80, keyId(publicKey)))),
        ...(names.length === 0 ? [] : [extension("551d11", false, sequence(...names))])
      ]
    })
    return { cert: issued, key: own.privateKey.export({ type: "pkcs8", format: "pem" }).toString() }
  }
  return { cert, issue, issueFor: (nodeId) => issue({ uris: [`lithair:node:${nodeId}`] }) }
}
