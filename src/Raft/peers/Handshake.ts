/**
 * Introduces two nodes to each other before the first message: hellos, then proofs of the shared secret. PeerSockets.ts
 * has the connections, and the log says who belongs to a cluster. Pure but for node:crypto's digests. C15, D8.
 *
 * The dialer says hello, then the acceptor. The dialer proves first and the acceptor after it, so a stranger that dials
 * gets nothing that was made with the secret.
 */
import { createHmac, timingSafeEqual } from "node:crypto"
import type { NodeId } from "../core/Message.ts"
import { ByteReader, ByteWriter, type Malformed } from "./Bytes.ts"
import type { Lane } from "./PeerMessage.ts"
import { provingOf, secretsOf } from "./Secret.ts"

/**
 * The oldest version of the protocol that this code speaks. Since 2 a life and a number name a request, nodes tell each other
 * of their states, and a hello names the process that speaks. Since 3 frames travel on a plain stream of bytes; up to 2
 * they travelled in WebSockets. Since 4 one frame holds many forwarded requests, or many answers. Since 5 nodes ask each
 * other for history, and a node repairs its log from its leader's. Since 6 they introduce their data directories, an
 * order may name the span that it is part of, and a node joins by a lane of its own.
 */
export const protocolMin = 4
/** The newest version that this code speaks. */
export const protocolMax = 6

/** The version since which a node may be asked for history. */
export const historyProtocol = 5
/** The version since which a leader answers a node that repairs its log. */
export const repairProtocol = 5
/** The version since which proven nodes introduce their data directories (Introduction.ts). */
export const introducingProtocol = 6
/** The version since which a leader takes orders that name a span. */
export const traceProtocol = 6

/** The length of the random bytes that each hello draws anew. */
export const nonceBytes = 32
/** The length of the random bytes that each start of a node draws. */
export const processNonceBytes = 16
/** The longest id and the longest address of a node: they must fit into a hello. */
export const idMaxBytes = 256
const peersMaxCount = 64
/** The longest frame of a handshake: a hello that names as many peers as it may, with the longest ids. */
export const helloMaxBytes = 32 * 1024

/** The use of a connection: one of the two lanes between members, or a node that asks to be taken in. */
export type HelloLane = Lane | "join"

/** In the order of their numbers on the wire. */
const lanes: ReadonlyArray<HelloLane> = ["control", "bulk", "join"]

/** A node introduces itself with this when a connection opens. */
export interface Hello {
  readonly protocolMin: number
  readonly protocolMax: number
  /** Null while the node is unformed (C16). */
  readonly clusterId: string | null
  readonly nodeId: NodeId
  /** The address at which peers reach the speaker, as the configuration will have it. */
  readonly address: string
  /** The node that the speaker believes it talks to. A node that joins knows an address alone, and leaves it empty. */
  readonly targetNodeId: NodeId
  /** Random, made with the data directory: a node with the same id and another instance has lost its data. */
  readonly instanceId: string
  /** The instance that the speaker's configuration holds for the target; null if it holds none. */
  readonly expectedInstanceId: string | null
  readonly lane: HelloLane
  /** Every member that the flags name, the speaker included, sorted. */
  readonly peers: ReadonlyArray<NodeId>
  /** Drawn once by each start of a node. Two that show one instance are a restart, or a data directory and its copy. */
  readonly processNonce: Uint8Array
  /** Fresh for every connection, from a source that cannot be guessed: an old proof proves nothing. */
  readonly nonce: Uint8Array
}

/** Why a node refuses a connection. Both sides hear it. */
export type Refusal =
  | { readonly _tag: "NotLoopback"; readonly remoteAddress: string; readonly why: string }
  | { readonly _tag: "BadHello"; readonly malformed: Malformed }
  | { readonly _tag: "NoCommonProtocol"; readonly own: string; readonly theirs: string }
  | { readonly _tag: "WrongNode"; readonly expected: NodeId; readonly found: NodeId }
  | { readonly _tag: "WrongCluster"; readonly own: string; readonly theirs: string }
  | { readonly _tag: "SameNode"; readonly nodeId: NodeId }
  | { readonly _tag: "WrongLane"; readonly expected: HelloLane; readonly found: HelloLane }
  | { readonly _tag: "BadProof"; readonly from: NodeId }
  | { readonly _tag: "Untrusted"; readonly why: string }
  | { readonly _tag: "WrongCertificate"; readonly nodeId: NodeId; readonly certified: ReadonlyArray<NodeId> }
  | { readonly _tag: "SecondProcess"; readonly nodeId: NodeId }
  | { readonly _tag: "CopiedDirectory"; readonly nodeId: NodeId }

/** The side of a connection. */
export type Role = "dialer" | "acceptor"

/** Agrees on the highest version that both speak, or finds the first reason to refuse this connection. */
export const checkHello = (options: {
  readonly own: Hello
  readonly theirs: Hello
}): { readonly _tag: "Agreed"; readonly protocol: number } | Refusal => {
  const { own, theirs } = options
  const protocol = Math.min(own.protocolMax, theirs.protocolMax)
  if (protocol < Math.max(own.protocolMin, theirs.protocolMin)) {
    return { _tag: "NoCommonProtocol", own: rangeOf(own), theirs: rangeOf(theirs) }
  }
  // An unformed node has no cluster yet: it must be able to hear of one (C16). This comes before the names of the nodes,
  // since a cluster that took the place of another one may have another node at the same address.
  if (own.clusterId !== null && theirs.clusterId !== null && own.clusterId !== theirs.clusterId) {
    return { _tag: "WrongCluster", own: own.clusterId, theirs: theirs.clusterId }
  }
  if (own.lane !== theirs.lane) return { _tag: "WrongLane", expected: own.lane, found: theirs.lane }
  const isJoining = own.lane === "join"
  if (isJoining && own.nodeId === theirs.nodeId) return { _tag: "SameNode", nodeId: own.nodeId }
  if (theirs.targetNodeId !== own.nodeId && !(isJoining && theirs.targetNodeId === "")) {
    return { _tag: "WrongNode", expected: own.nodeId, found: theirs.targetNodeId }
  }
  const isExpected = own.targetNodeId === theirs.nodeId || (isJoining && own.targetNodeId === "")
  if (!isExpected || own.nodeId === theirs.nodeId) {
    return { _tag: "WrongNode", expected: own.targetNodeId, found: theirs.nodeId }
  }
  return { _tag: "Agreed", protocol }
}

/** What protects the connections of a node to its peers. */
export interface Protection {
  readonly secret: string | undefined
  /** Both sides show certificates. */
  readonly isTls: boolean
  /** The operator accepts that others may read and change what peers say beyond this host. */
  readonly insecurePeers: boolean
}

/** Why a node has to keep to peers of its own host (D8); undefined if it may speak with other hosts. */
export const onlyThisHost = ({ insecurePeers, isTls, secret }: Protection): string | undefined => {
  if (isTls) return undefined
  if (secret === undefined) return "peers beyond this host need TLS, or insecurePeers and a secret"
  return insecurePeers
    ? undefined
    : "peers beyond this host need TLS, or insecurePeers, since a secret encrypts nothing"
}

/** Refuses to dial another host where {@link onlyThisHost} does. */
export const checkRemoteAddress = (
  options: Protection & {
    /** Without a port. */
    readonly remoteAddress: string
  }
): Refusal | undefined => {
  const { remoteAddress } = options
  const why = onlyThisHost(options)
  return why === undefined || isLoopback(remoteAddress) ? undefined : { _tag: "NotLoopback", remoteAddress, why }
}

/** Whether an address without a port is loopback: 127.0.0.0/8, also mapped into IPv6, `::1`, or `localhost`. */
export const isLoopback = (address: string): boolean => {
  const bare = address.toLowerCase().replace(/^\[(.*)\]$/, "$1")
  return bare === "localhost" || bare === "::1" || /^(::ffff:)?127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(bare)
}

/**
 * Makes a proof: HMAC-SHA256 over both hellos with their nonces, and over the prover's role, so that nobody can send a
 * proof back to the node that made it. Without a secret the key is empty, and the proof only shows that both sides saw
 * the same hellos.
 */
export const prove = (options: {
  readonly secret: string | undefined
  readonly role: Role
  readonly dialer: Hello
  readonly acceptor: Hello
}): Uint8Array => {
  const transcript = new ByteWriter()
    .string("lithair/raft/handshake")
    .string(options.role)
    .blob(encodeHello(options.dialer))
    .blob(encodeHello(options.acceptor))
  return createHmac("sha256", provingOf(options.secret ?? ""))
    .update(transcript.finish())
    .digest()
}

/** Refuses a proof that the peer made with none of this node's secrets. The comparison takes constant time. */
export const checkProof = (options: {
  readonly secret: string | undefined
  readonly role: Role
  readonly dialer: Hello
  readonly acceptor: Hello
  readonly proof: Uint8Array
}): Refusal | undefined => {
  const isMadeWith = (secret: string): boolean => {
    const expected = prove({ ...options, secret })
    return options.proof.length === expected.length && timingSafeEqual(options.proof, expected)
  }
  return secretsOf(options.secret ?? "")
    .map(isMadeWith)
    .includes(true)
    ? undefined
    : { _tag: "BadProof", from: options[options.role].nodeId }
}

/** The hello as the bytes of a frame. */
export const encodeHello = (hello: Hello): Uint8Array<ArrayBuffer> => {
  const to = new ByteWriter().u32(hello.protocolMin).u32(hello.protocolMax)
  writeNullable(to, hello.clusterId).string(hello.nodeId).string(hello.address).string(hello.targetNodeId)
  writeNullable(to.string(hello.instanceId), hello.expectedInstanceId)
  to.u8(lanes.indexOf(hello.lane)).u32(hello.peers.length)
  for (const peer of hello.peers) to.string(peer)
  return to.blob(hello.processNonce).blob(hello.nonce).finish()
}

/** The hello in a frame, or what is wrong with it. Its two versions come first in every version of the protocol. */
export const decodeHello = (frame: Uint8Array): Hello | Malformed => {
  const from = new ByteReader(frame)
  const hello: Hello = {
    protocolMin: from.u32("protocolMin"),
    protocolMax: from.u32("protocolMax"),
    clusterId: readNullable(from, "clusterId"),
    nodeId: readText(from, "nodeId"),
    address: readText(from, "address"),
    targetNodeId: readText(from, "targetNodeId"),
    instanceId: readText(from, "instanceId"),
    expectedInstanceId: readNullable(from, "expectedInstanceId"),
    lane: readLane(from),
    peers: readPeers(from),
    processNonce: from.blob("processNonce", processNonceBytes),
    nonce: from.blob("nonce", nonceBytes)
  }
  const processNonceLength = hello.processNonce.length
  if (from.failure === undefined && processNonceLength !== processNonceBytes) {
    from.fail("processNonce", `${processNonceLength} bytes`)
  }
  if (from.failure === undefined && hello.nonce.length !== nonceBytes) from.fail("nonce", `${hello.nonce.length} bytes`)
  from.end()
  return from.failure ?? hello
}

/** One line for people, on both sides. */
export const describeRefusal = (refusal: Refusal): string => {
  switch (refusal._tag) {
    case "NotLoopback":
      return `${refusal.remoteAddress} is another host, and ${refusal.why}`
    case "BadHello":
      return `bad ${refusal.malformed.field} at offset ${refusal.malformed.offset}: ${refusal.malformed.found}`
    case "NoCommonProtocol":
      return `no common protocol: own ${refusal.own}, theirs ${refusal.theirs}`
    case "WrongNode":
      return `wrong node: expected ${refusal.expected}, found ${refusal.found}`
    case "WrongCluster":
      return `wrong cluster: own ${refusal.own}, theirs ${refusal.theirs}`
    case "SameNode":
      return `both nodes have the id ${refusal.nodeId}: give the one that joins another id`
    case "WrongLane":
      return `wrong lane: expected ${refusal.expected}, found ${refusal.found}`
    case "BadProof":
      return `${refusal.from} does not prove the cluster secret`
    case "Untrusted":
      return `no authority of this node vouches for the certificate: ${refusal.why}`
    case "WrongCertificate": {
      const named = refusal.certified.length === 0 ? "no node" : refusal.certified.join(", ")
      return `the certificate of ${refusal.nodeId} names ${named}`
    }
    case "SecondProcess":
      return `another process runs as ${refusal.nodeId} on a copy of its data directory`
    case "CopiedDirectory":
      return `the data directory of ${refusal.nodeId} is a copy, or an older state, of one that was started since`
  }
}

const rangeOf = (hello: Hello): string => `${hello.protocolMin}-${hello.protocolMax}`

const writeNullable = (to: ByteWriter, value: string | null): ByteWriter =>
  value === null ? to.u8(0) : to.u8(1).string(value)

const readNullable = (from: ByteReader, field: string): string | null =>
  from.boolean(field) ? readText(from, field) : null

/** Refuses control characters: a stranger's hello is quoted in this node's log, and must not write lines of its own there. */
const readText = (from: ByteReader, field: string): string => {
  const text = from.string(field, idMaxBytes)
  if (/\p{Cc}/u.test(text)) from.fail(field, "a control character")
  return text
}

const readLane = (from: ByteReader): HelloLane => {
  const number = from.u8("lane")
  const lane = lanes[number]
  if (lane === undefined) from.fail("lane", `the unknown lane ${number}`)
  return lane ?? "control"
}

const readPeers = (from: ByteReader): ReadonlyArray<NodeId> => {
  const count = from.u32("peers")
  if (count > peersMaxCount) from.fail("peers", `a count of ${count} past the limit of ${peersMaxCount}`)
  const peers: Array<NodeId> = []
  for (let i = 0; i < count && from.failure === undefined; i++) peers.push(readText(from, `peers[${i}]`))
  return peers
}
