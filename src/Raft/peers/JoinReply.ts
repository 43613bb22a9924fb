/**
 * A member's answer to a node that joins, as the last frame of their connection. Both have proved the secret before
 * (Handshake.ts); Cluster/Joining.ts decides the answer. Pure.
 */
import type { ConfigurationMember } from "../core/Configuration.ts"
import { membersMaxCount } from "../core/ConfigurationCodec.ts"
import { ByteReader, type Malformed } from "./Bytes.ts"
import { idMaxBytes } from "./Handshake.ts"
import { linkTags, makeFrame } from "./WireFrame.ts"

/** The node is a member from now on: the cluster, and all members to connect to. */
export interface Joined {
  readonly _tag: "Joined"
  readonly clusterId: string
  readonly members: ReadonlyArray<ConfigurationMember>
}

/** The node is no member. If the refusal is final, asking again does not help. */
export interface NotJoined {
  readonly _tag: "NotJoined"
  readonly isFinal: boolean
  readonly message: string
}

/** The answer to a node that joins. */
export type JoinReply = Joined | NotJoined

/** A configuration has so many voters, learners and outgoing voters at most. */
const membersOfAllKindsMaxCount = 3 * membersMaxCount
const messageMaxBytes = 2_048

/** The longest frame of an answer. */
export const joinReplyMaxBytes = membersOfAllKindsMaxCount * 3 * (idMaxBytes + 4) + 4_096

/** The answer as a frame. */
export const joinReplyFrame = (reply: JoinReply): Uint8Array<ArrayBuffer> =>
  makeFrame(1_024, (to) => {
    to.u8(linkTags.joinReply).u8(Number(reply._tag === "Joined"))
    if (reply._tag === "NotJoined") {
      return to.u8(Number(reply.isFinal)).string(reply.message.slice(0, messageMaxBytes / 4))
    }
    to.string(reply.clusterId).u32(reply.members.length)
    for (const { address, id, instanceId } of reply.members) to.string(id).string(address).string(instanceId)
    return to
  })

/** The answer in a frame, or what is wrong with it. */
export const decodeJoinReply = (frame: Uint8Array): JoinReply | Malformed => {
  const from = new ByteReader(frame)
  const tag = from.u8("tag")
  if (tag !== linkTags.joinReply) from.fail("tag", `the tag ${tag} where an answer is needed`, 0)
  const reply = from.boolean("isJoined") ? readJoined(from) : readNotJoined(from)
  from.end()
  return from.failure ?? reply
}

const readJoined = (from: ByteReader): Joined => {
  const clusterId = from.string("clusterId", idMaxBytes)
  const count = from.u32("members")
  if (count > membersOfAllKindsMaxCount) from.fail("members", `a count of ${count}`)
  const members: Array<ConfigurationMember> = []
  for (let at = 0; at < count && from.failure === undefined; at++) {
    const text = (field: string) => from.string(`members[${at}].${field}`, idMaxBytes)
    members.push({ id: text("id"), address: text("address"), instanceId: text("instanceId") })
  }
  return { _tag: "Joined", clusterId, members }
}

const readNotJoined = (from: ByteReader): NotJoined => ({
  _tag: "NotJoined",
  isFinal: from.boolean("isFinal"),
  message: from.string("message", messageMaxBytes).replace(/\p{Cc}/gu, "?")
})
