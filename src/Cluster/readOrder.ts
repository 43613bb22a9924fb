/** Reads an order that a peer forwarded. The peer has proved itself, but may have another version, or err. Pure. */
import { Result, Schema } from "effect"
import { isRecord } from "../Machine/Json.ts"
import { MemberAddress } from "../Raft/peers/Address.ts"
import { idMaxBytes } from "../Raft/peers/Handshake.ts"
import { isCommand } from "./isCommand.ts"
import type { Order } from "./Order.ts"

const text = Schema.String

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
const Admitted = Schema.Literals(["this-host", "secret", "proof", "token", "role"])

/** All orders but those to decide a command, which come with every write. */
const RareOrder = Schema.Union([
  Schema.Struct({ _tag: Schema.Literal("Announce"), nodeId: text, models: Schema.Record(text, Schema.Int) }),
  Schema.Struct({
    _tag: Schema.Literal("Inquire"),
    keyed: Schema.Struct({ principal: Schema.optionalKey(text), key: text })
  }),
  Schema.Struct({
    _tag: Schema.Literal("ChangeMembers"),
    admitted: Admitted,
    change: Change,
    force: Schema.optionalKey(Schema.Literal(true)),
    ifIndex: Schema.optionalKey(Schema.Int)
  }),
  Schema.Struct({ _tag: Schema.Literal("ActivateWithout"), admitted: Admitted, without: Schema.Array(text) }),
  Schema.Struct({ _tag: Schema.Literal("AnnounceErased"), nodeId: text, throughIndex: Schema.Int }),
  Schema.Struct({ _tag: Schema.Literal("EraseRecord"), admitted: Admitted, model: text, id: text }),
  Schema.Struct({ _tag: Schema.Literal("AskErased"), admitted: Admitted }),
  Schema.Struct({ _tag: Schema.Literal("TransferLeadership"), admitted: Admitted, to: Schema.optionalKey(text) })
])

// Refuses unknown fields, since such a field may change the meaning of the order.
const decodeRare = Schema.decodeUnknownResult(RareOrder, { onExcessProperty: "error" })

/** Returns the order, or what is wrong with it. */
export const readOrder = (json: unknown): Result.Result<Order, string> => {
  if (!isRecord(json) || json._tag !== "Decide") return Result.mapError(decodeRare(json), (error) => String(error))
  return Object.keys(json).length === 2 && isCommand(json.command)
    ? Result.succeed(json as unknown as Order)
    : Result.fail(`${tagOf(json.command)} does not have the shape of a command`)
}

const tagOf = (command: unknown): string => (isRecord(command) ? `${command._tag}` : typeof command).slice(0, 40)
