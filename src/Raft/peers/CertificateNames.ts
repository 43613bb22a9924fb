/**
 * The nodes that a certificate names: the URIs `lithair:node:<id>` among the names of its subject (RFC 5280 §4.2.1.6).
 * It reads the bytes, since the runtimes show these names as one text that a hostile name could imitate. Pure.
 */

/** The URI that names a node in its certificate. */
export const nodeUri = (nodeId: string): string => `${scheme}${nodeId}`

const scheme = "lithair:node:"

/** One element of DER (X.690 §8.1): a tag, and the content between two offsets. */
interface Element {
  readonly tag: number
  readonly from: number
  readonly to: number
}

const sequenceTag = 0x30
const objectIdTag = 0x06
const octetsTag = 0x04
/** `[3] extensions` of a certificate. */
const extensionsTag = 0xa3
/** `[6] uniformResourceIdentifier` of a name. */
const uriTag = 0x86
/** 2.5.29.17 */
const subjectAltName = [0x55, 0x1d, 0x11]

/** The ids of the nodes that a certificate in DER names. None if it names none, or is no certificate. */
export const nodesNamedBy = (der: Uint8Array): ReadonlyArray<string> =>
  extensionsOf(der)
    .flatMap((extension) => alternativeNamesIn(der, extension))
    .filter(({ tag }) => tag === uriTag)
    .map(({ from, to }) => Buffer.from(der.subarray(from, to)).toString("latin1"))
    .filter((uri) => uri.startsWith(scheme))
    .map((uri) => uri.slice(scheme.length))

/** The element at an offset; undefined unless all of it lies before `end`. */
const elementAt = (der: Uint8Array, at: number, end: number): Element | undefined => {
  const tag = der[at]
  const first = der[at + 1]
  if (tag === undefined || first === undefined || at + 2 > end) return undefined
  const lengthCount = first < 0x80 ? 0 : first & 0x7f
  if (lengthCount > 3 || first === 0x80) return undefined
  let length = first < 0x80 ? first : 0
  for (let i = 0; i < lengthCount; i++) length = length * 256 + (der[at + 2 + i] ?? 0)
  const from = at + 2 + lengthCount
  return from + length > end ? undefined : { tag, from, to: from + length }
}

/** The elements within an element, up to the first that is malformed. */
const partsOf = (der: Uint8Array, { from, to }: Pick<Element, "from" | "to">): ReadonlyArray<Element> => {
  const parts: Array<Element> = []
  for (let part = elementAt(der, from, to); part !== undefined; part = elementAt(der, part.to, to)) parts.push(part)
  return parts
}

const extensionsOf = (der: Uint8Array): ReadonlyArray<Element> => {
  const [certificate] = partsOf(der, { from: 0, to: der.length })
  if (certificate?.tag !== sequenceTag) return []
  const [signed] = partsOf(der, certificate)
  if (signed?.tag !== sequenceTag) return []
  const extensions = partsOf(der, signed).find(({ tag }) => tag === extensionsTag)
  const [list] = extensions === undefined ? [] : partsOf(der, extensions)
  return list === undefined ? [] : partsOf(der, list)
}

/** The names in an extension, if it is the one that holds them. */
const alternativeNamesIn = (der: Uint8Array, extension: Element): ReadonlyArray<Element> => {
  const parts = partsOf(der, extension)
  const [id] = parts
  const isNames =
    id?.tag === objectIdTag &&
    id.to - id.from === subjectAltName.length &&
    subjectAltName.every((byte, at) => der[id.from + at] === byte)
  const value = parts.find(({ tag }) => tag === octetsTag)
  if (!isNames || value === undefined) return []
  const [names] = partsOf(der, value)
  return names?.tag === sequenceTag ? partsOf(der, names) : []
}
