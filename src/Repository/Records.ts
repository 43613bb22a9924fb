/**
 * The records of all models of one node, by name and in encoded form: what HTTP and the typed repositories stand on.
 * It knows where each part of a record lives; not how a client names it. DESIGN: a mixed record's local fields belong
 * to the node that wrote them, and are appended to its own log once the replicated change is known to be committed.
 */
import { Context, Data, Effect, Layer, Result } from "effect"
import { LocalNode } from "../EventStore/LocalNode.ts"
import type { LocalNotDone, LocalUnknownOutcome } from "../EventStore/LocalOutcome.ts"
import { invariant } from "../Invariant.ts"
import type { Operation, Origin } from "../Machine/Command.ts"
import type { CommandResult } from "../Machine/CommandResult.ts"
import type { OperationAnswer } from "../Machine/decide.ts"
import type { ListSource } from "../Machine/List.ts"
import { join, type LocalPart, split, visible } from "../Machine/LocalParts.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import { get, type Table, type Tables } from "../Machine/Tables.ts"
import type { Descriptor, EncodedRecord } from "../Model.ts"
import { Member } from "../Raft/Member.ts"
import type { NotDone, UnknownOutcome } from "../Raft/Outcome.ts"
import * as Freshness from "./Freshness.ts"

/** A command was decided, and the decision is not to do it: nothing changed. */
export class Refused extends Data.TaggedError("Refused")<{
  readonly rejection: Rejection
  /** The index of the replicated log that it reflects; undefined where this node's own data decided. */
  readonly logIndex?: number
  readonly isReplayed?: boolean
}> {
  override get message(): string {
    return `The command was refused: ${this.rejection._tag}`
  }
}

/** Why a change was not confirmed; the names say whether it is certainly not done. */
export type ChangeFailure = Refused | NotDone | UnknownOutcome | LocalNotDone | LocalUnknownOutcome

/** A record as this node shows it. */
export interface Shown {
  readonly record: EncodedRecord
  readonly version: number
  /** How often this node's part of it was written; undefined where it holds none. */
  readonly localRevision: number | undefined
}

/** What a change came to. */
export interface Changed extends Shown {
  readonly id: string
  readonly change: OperationAnswer["change"]
  /** The index of the replicated log that it reflects; undefined for a change of this node's own data. */
  readonly logIndex: number | undefined
  /** The replicated part is done, this node's part of it could not be written. */
  readonly isLocalPartLost: boolean
  /** It was done before: this is a copy with the same idempotency key, and changed nothing. */
  readonly isReplayed: boolean
}

/** What was read, and the index of the replicated log that it reflects. */
export interface Read<A> extends Freshness.Freshness {
  readonly value: A
  readonly logIndex: number
}

/** A change, with a condition on what this node shows for where only its own data changes. */
export type Change = Operation & Origin & { readonly holds?: (current: Shown | undefined) => boolean }

export class Records extends Context.Service<
  Records,
  {
    /** One change of one record. */
    readonly change: (descriptor: Descriptor, change: Change) => Effect.Effect<Changed, ChangeFailure>
    /** One record; the value is undefined if there is none. A node's own data is always as new as can be. */
    readonly get: (
      descriptor: Descriptor,
      id: string,
      consistency: Freshness.Consistency
    ) => Effect.Effect<Read<Shown | undefined>, Freshness.ReadFailure>
    /** All records of a model: to be looked at before anything else runs. */
    readonly source: (
      descriptor: Descriptor,
      consistency: Freshness.Consistency
    ) => Effect.Effect<Read<ListSource>, Freshness.ReadFailure>
  }
>()("lithair/Repository/Records") {}

const make = Effect.gen(function* () {
  const member = yield* Member
  const local = yield* LocalNode
  const freshen = yield* Freshness.make(member)

  /** To be called with what is read in one go: the index is that of this moment. */
  const read = <A>(freshness: Freshness.Freshness, value: A): Read<A> => ({
    ...freshness,
    value,
    logIndex: member.node()?.appliedIndex() ?? 0
  })
  const own = <A>(value: () => A) => Effect.sync(() => read({}, value()))

  const replicate = Effect.fnUntraced(function* (operation: Operation & Origin) {
    const { answer, index } = yield* member.submit(operation)
    return { logIndex: index, ...(yield* accepted(answer, { logIndex: index })) }
  })

  const keep = Effect.fnUntraced(function* (operation: Operation & Origin) {
    const { answer } = yield* local.submit(operation)
    return changed(yield* accepted(answer), undefined)
  })

  const show = (descriptor: Descriptor, id: string): Shown | undefined => {
    const row = get(member.tables, descriptor.name, id)
    if (row === undefined) return undefined
    const part = visible(local.tables, { model: descriptor.name, id, createdIndex: row.createdIndex })
    return shown(join(row, part), row.version, part)
  }

  const showOwn = (descriptor: Descriptor, id: string): Shown | undefined => {
    const row = get(local.tables, descriptor.name, id)
    return row === undefined ? undefined : shown(row.data, row.version, undefined)
  }

  /**
   * A change of nothing but this node's part of a record: it needs no quorum. To refuse it does: the record, or the
   * version that was asked for, may be committed and not applied here yet.
   */
  const changePart = Effect.fnUntraced(function* (
    descriptor: Descriptor,
    id: string,
    data: EncodedRecord,
    change: Change
  ) {
    const model = descriptor.name
    const holds = () => change.holds?.(show(descriptor, id)) !== false
    if (get(member.tables, model, id) === undefined || !holds()) yield* member.readIndex
    const row = get(member.tables, model, id)
    if (!holds()) {
      return yield* new Refused({ rejection: { _tag: "VersionConflict", currentVersion: row?.version ?? null } })
    }
    if (row === undefined) return yield* new Refused({ rejection: { _tag: "NotFound", model, id } })
    const request = { id, createdIndex: row.createdIndex, version: row.version, how: "patch", data } as const
    const { answer } = yield* local.setLocalPart({ descriptor, request })
    if (answer._tag === "Rejected") return yield* new Refused({ rejection: answer.rejection })
    const after = shown(join(row, answer.part), row.version, answer.part)
    return {
      ...after,
      id,
      change: "updated" as const,
      logIndex: undefined,
      isLocalPartLost: false,
      isReplayed: false
    }
  })

  const changeMixed = Effect.fnUntraced(function* (descriptor: Descriptor, change: Change) {
    if (change._tag === "Delete") return changed(yield* replicate(withoutCondition(change)), undefined)
    if (!isObject(change.data)) return changed(yield* replicate(withoutCondition(change)), undefined)
    const parts = split(descriptor, change.data)
    const touchesLocal = Object.keys(parts.local).length > 0
    if (change._tag === "Patch" && touchesLocal && Object.keys(parts.replicated).length === 0) {
      return yield* changePart(descriptor, change.id, parts.local, change)
    }
    const wrong = checkPart(descriptor, change._tag === "Patch" ? withoutNulls(parts.local) : parts.local)
    if (wrong !== undefined) return yield* new Refused({ rejection: wrong })
    const { holds: _, ...operation } = change
    const done = yield* replicate({ ...operation, data: parts.replicated })
    const { createdIndex, id, version } = done
    const part = visible(local.tables, { model: descriptor.name, id, createdIndex })
    // A copy changes nothing: what it brings for this node may be older than what this node holds by now.
    if (done.isReplayed) return changed(done, part)
    // A PUT clears what it omits, here only; a create finds nothing to clear.
    if (!touchesLocal && (change._tag !== "Put" || part === undefined)) return changed(done, part)
    const how = change._tag === "Patch" ? "patch" : "put"
    return yield* local
      .setLocalPart({ descriptor, request: { id, createdIndex, version, how, data: parts.local } })
      .pipe(
        Effect.match({
          // The replicated part is done: an answer that said otherwise would be wrong.
          onFailure: () => ({ ...changed(done, part), isLocalPartLost: true }),
          onSuccess: ({ answer }) =>
            answer._tag === "Accepted" ? changed(done, answer.part) : { ...changed(done, part), isLocalPartLost: true }
        })
      )
  })

  return Records.of({
    change: (descriptor, change) => {
      switch (descriptor.mode) {
        case "local":
          return keep(withoutCondition(change))
        case "mixed":
          return changeMixed(descriptor, change)
        case "replicated":
          return Effect.map(replicate(withoutCondition(change)), (done) => changed(done, undefined))
      }
    },
    get: (descriptor, id, consistency) =>
      descriptor.mode === "local"
        ? own(() => showOwn(descriptor, id))
        : Effect.map(freshen(consistency), (freshness) => read(freshness, show(descriptor, id))),
    source: (descriptor, consistency) => {
      const { idField } = descriptor
      if (descriptor.mode === "local") return own(() => ({ table: tableOf(local.tables, descriptor), idField }))
      return Effect.map(freshen(consistency), (freshness) =>
        read(freshness, {
          table: tableOf(member.tables, descriptor),
          idField,
          ...localPartsOf(local.tables, descriptor)
        })
      )
    }
  })
})

/** The records of the models that the member and the local node were given. */
export const layer: Layer.Layer<Records, never, Member | LocalNode> = Layer.effect(Records, make)

/** What the one operation of a command did. */
const accepted = Effect.fnUntraced(function* (result: CommandResult, at: { readonly logIndex?: number } = {}) {
  const isReplayed = result.replayedIndex !== undefined
  if (result._tag === "Rejected") return yield* new Refused({ rejection: result.rejection, isReplayed, ...at })
  const [done] = result.answer.operations
  invariant(done !== undefined, "a command of one operation was answered without one")
  return { ...done, isReplayed }
})

const shown = (record: EncodedRecord, version: number, part: LocalPart | undefined): Shown => ({
  record,
  version,
  localRevision: part?.revision
})

const changed = (
  done: OperationAnswer & { readonly logIndex?: number; readonly isReplayed: boolean },
  part: LocalPart | undefined
): Changed => ({
  ...shown({ ...done.record, ...part?.data }, done.version, part),
  id: done.id,
  change: done.change,
  logIndex: done.logIndex,
  isLocalPartLost: false,
  isReplayed: done.isReplayed
})

/** What is decided elsewhere travels without what only this node can ask. */
const withoutCondition = ({ holds: _, ...operation }: Change): Operation & Origin => operation

const tableOf = (tables: Tables, { name }: Descriptor): Table => {
  const table = tables.byModel.get(name)
  invariant(table !== undefined, `model ${name} has no table`)
  return table
}

/** The parts that this node holds; there is no table of them before the first. */
const localPartsOf = (tables: Tables, { name }: Descriptor): Pick<ListSource, "localParts"> => {
  const table = tables.byModel.get(name)
  return table === undefined ? {} : { localParts: table.localParts }
}

const isObject = (data: unknown): data is EncodedRecord =>
  typeof data === "object" && data !== null && !Array.isArray(data)

/** In a merge patch null removes (RFC 7396), and is no value. */
const withoutNulls = (data: EncodedRecord): EncodedRecord =>
  Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null))

/** Bad local fields are refused before anything is proposed: the replicated part alone would be half of the request. */
const checkPart = (descriptor: Descriptor, data: EncodedRecord): Rejection | undefined => {
  const checked = descriptor.codecs.localPart({ ...data, [descriptor.idField]: descriptor.idField })
  if (Result.isSuccess(checked)) return undefined
  const errors = checked.failure.filter(({ path }) => path.split(".")[0] !== descriptor.idField)
  return errors.length === 0 ? undefined : { _tag: "InvalidRequest", errors }
}
