/** Reads an order that a peer forwarded. The peer has proved itself, but may have another version, or err. Pure. */
import { Result, Schema } from "effect"
import { MemberAddress } from "../Raft/peers/Address.ts"
import { idMaxBytes } from "../Raft/peers/Handshake.ts"
import type { Order } from "./Order.ts"

const text = Schema.String
const origin = {
  principal: Schema.optionalKey(text),
  key: Schema.optionalKey(text),
  fingerprint: Schema.optionalKey(text),
  assignedKey: Schema.optionalKey(text)
}
const condition = {
  ifMatch: Schema.optionalKey(Schema.Union([Schema.Literal("*"), Schema.Array(Schema.Int)]))
}
/** `decide` checks the data by the model's schema. */
const data = Schema.Unknown
/** Absent in orders of earlier releases. */
const modelVersion = Schema.optionalKey(Schema.Int)

const createFields = { _tag: Schema.Literal("Create"), model: text, modelVersion, id: Schema.optionalKey(text), data }
const putFields = {
  _tag: Schema.Literal("Put"),
  model: text,
  modelVersion,
  id: text,
  data,
  ifNoneMatch: Schema.optionalKey(Schema.Boolean),
  ...condition
}
const patchFields = {
  _tag: Schema.Literal("Patch"),
  model: text,
  modelVersion,
  id: text,
  data,
  // A node of an older version may send this. Its patch is merged like any other.
  isByField: Schema.optionalKey(Schema.Literal(true)),
  ...condition
}
const deleteFields = { _tag: Schema.Literal("Delete"), model: text, modelVersion, id: text, ...condition }

const Operation = Schema.Union([
  Schema.Struct(createFields),
  Schema.Struct(putFields),
  Schema.Struct(patchFields),
  Schema.Struct(deleteFields)
])

const CommandSchema = Schema.Union([
  Schema.Struct({ ...createFields, ...origin }),
  Schema.Struct({ ...putFields, ...origin }),
  Schema.Struct({ ...patchFields, ...origin }),
  Schema.Struct({ ...deleteFields, ...origin }),
  Schema.Struct({
    _tag: Schema.Literal("Transact"),
    operations: Schema.Array(Operation),
    name: Schema.optionalKey(Schema.Literal("Bulk")),
    ...origin
  }),
  Schema.Struct({ _tag: Schema.Literal("Call"), name: text, payload: Schema.Unknown, ...origin }),
  Schema.Struct({ _tag: Schema.Literal("Close"), ...origin })
])

/** A member's id, address or instance. It must fit into a hello. */
export const MemberName = Schema.NonEmptyString.check(
  Schema.makeFilter((name) => Buffer.byteLength(name) <= idMaxBytes || `Expected at most ${idMaxBytes} bytes`)
)

const Change = Schema.Union([
  Schema.Struct({
    _tag: Schema.Literal("AddLearner"),
    member: Schema.Struct({ id: MemberName, address: MemberAddress, instanceId: MemberName }),
    autoPromote: Schema.Boolean
  }),
  Schema.Struct({ _tag: Schema.Literal("Promote"), id: text }),
  Schema.Struct({ _tag: Schema.Literal("Remove"), id: text }),
  Schema.Struct({ _tag: Schema.Literal("ReplaceVoters"), voters: Schema.Array(text) })
])

/** Required: an older follower admits every client, so its orders are refused. */
const Admitted = Schema.Literals(["this-host", "secret", "proof"])

const OrderSchema = Schema.Union([
  Schema.Struct({ _tag: Schema.Literal("Announce"), nodeId: text, models: Schema.Record(text, Schema.Int) }),
  Schema.Struct({ _tag: Schema.Literal("Decide"), command: CommandSchema }),
  Schema.Struct({
    _tag: Schema.Literal("Inquire"),
    keyed: Schema.Struct({ principal: Schema.optionalKey(text), key: text })
  }),
  Schema.Struct({
    _tag: Schema.Literal("ChangeMembers"),
    admitted: Admitted,
    change: Change,
    force: Schema.optionalKey(Schema.Literal(true))
  }),
  Schema.Struct({ _tag: Schema.Literal("TransferLeadership"), admitted: Admitted, to: Schema.optionalKey(text) })
])

// Refuses unknown fields, since such a field may change the meaning of the order.
const decode = Schema.decodeUnknownResult(OrderSchema, { onExcessProperty: "error" })

/** Returns the order, or what is wrong with it. */
export const readOrder = (json: unknown): Result.Result<Order, string> =>
  Result.mapError(decode(json), (error) => String(error))
