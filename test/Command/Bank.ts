/** A bank of one leader: handlers run as they do on a node, and every entry is kept. */
import { Effect, Layer, Logger, Schema } from "effect"
import * as Procedures from "../../src/Command/Procedures.ts"
import * as Command from "../../src/Command.ts"
import type { Origin } from "../../src/Machine/Command.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import type { Procedures as MachineProcedures } from "../../src/Machine/Procedure.ts"
import type { Rejection } from "../../src/Machine/Rejection.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import * as Model from "../../src/Model.ts"
import { assertDecodesToItself } from "../Machine/Store.ts"

const Id = Schema.String.check(Schema.isMaxLength(40))

export class Account extends Model.Class<Account>("Account")(
  {
    id: Model.id(Id),
    owner: Schema.NonEmptyString.pipe(Model.replicate),
    balance: Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)),
    openedAt: Schema.optionalKey(Schema.Date),
    iban: Schema.optionalKey(Schema.NonEmptyString),
    note: Model.local(Schema.String)
  },
  { mode: "replicate", unique: ["iban"], indexes: ["owner"], writes: { change: "commands" } }
) {
  get isEmpty(): boolean {
    return this.balance === 0
  }
}

export class Draft extends Model.Class<Draft>("Draft")({ id: Model.id(Id), text: Schema.String }, { mode: "local" }) {}

export class Broke extends Schema.TaggedError<Broke>()("Broke", { missing: Schema.Int }, { httpApiStatus: 402 }) {
  override get message() {
    return `${this.missing} is missing`
  }
}

/** The payload is whatever a test's handler makes of it. */
export const probe = Command.make("probe", {
  payload: Schema.Struct({ text: Schema.optionalKey(Schema.String), at: Schema.optionalKey(Schema.Date) }),
  success: Schema.Unknown,
  error: [Broke]
})

export const descriptors = [Account, Draft].map(Model.describe)

export type Handle = Command.Handle<typeof probe>

/** The procedures of this handler, and everything that it had logged. */
export const proceduresOf = (handle: Handle) => {
  const logged: Array<string> = []
  const logger = Logger.make(({ cause, message }) => void logged.push(JSON.stringify([message, cause])))
  const services = Effect.runSync(
    Effect.scoped(Layer.build(Layer.merge(Command.layer(probe, handle), Logger.layer([logger]))))
  )
  const procedures = Effect.runSync(Effect.provideContext(Procedures.make([probe]), services))
  return { procedures, logged }
}

export type Done =
  | { readonly _tag: "Value"; readonly value: unknown }
  | { readonly _tag: "Rejected"; readonly rejection: Rejection }

/** A leader that leads alone: what is decided is committed at once. */
export const leaderOf = (procedures: MachineProcedures) => {
  const machine = Machine.make(descriptors, procedures)
  Machine.beginSpeculation(machine)
  const entries: Array<{ readonly index: number; readonly payload: Uint8Array }> = []
  let ids = 0
  const call = (payload: unknown = {}, origin: Origin & { readonly nowMs?: number } = {}): Done => {
    const { nowMs = 1_000, ...command } = origin
    const index = machine.applied.index + 1
    const at = { index, nowMs, newId: () => `id${++ids}` }
    const { entry, result } = Machine.decideNext(machine, { _tag: "Call", name: "probe", payload, ...command }, at)
    if (entry !== undefined) {
      entries.push({ index, payload: entry.payload })
      assertDecodesToItself(entry)
      Machine.apply(machine, { index, payload: entry.payload })
    }
    if (result._tag === "Rejected") return { _tag: "Rejected", rejection: result.rejection }
    if (result._tag === "Logged") return { _tag: "Value", value: result }
    return { _tag: "Value", value: result.answer.value }
  }
  const account = (id: string) => Tables.get(machine.applied, "Account", id)?.data
  return { machine, entries, call, account }
}

/** A bank in which `probe` does this. */
export const bank = (handle: Handle) => {
  const { logged, procedures } = proceduresOf(handle)
  return { ...leaderOf(procedures), logged }
}

/** What one call of this handler comes to, and what it left. */
export const once = (handle: Handle, payload: unknown = {}) => {
  const opened = bank(handle)
  return { ...opened, done: opened.call(payload) }
}

/** With the transaction at hand. */
export const using =
  <A, E>(
    use: (transaction: Command.Transaction["Service"]) => Effect.Effect<A, E>
  ): (() => Effect.Effect<A, E, Command.Transaction>) =>
  () =>
    Effect.flatMap(Command.Transaction, use)
