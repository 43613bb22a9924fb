/**
 * A node that sells tickets as the ticketing example does, without its sign-in, in one of three releases, as a process:
 * `TICKETING_RELEASE` says which. It takes the flags of the example's nodes.
 *
 * `compatible` adds to `first` a field with a default, an optional one and an index, without a new version. `next` has a new
 * version of the ticket, and one of its steps is no function: each node reads another number.
 */
import { Effect, Layer, Schema } from "effect"
import { Id, SoldOut } from "../../examples/ticketing/models.ts"
import * as Command from "../../src/Command.ts"
import * as Lithair from "../../src/Lithair.ts"
import * as Model from "../../src/Model.ts"
import { run } from "../../src/node.ts"
import * as Projection from "../../src/Projection.ts"
import * as Reaction from "../../src/Reaction.ts"

const seats = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 100_000 }))

class Show extends Model.Class<Show>("Show")(
  { id: Model.id(Id), title: Schema.NonEmptyString.pipe(Model.replicate), seats },
  { writes: { change: "commands" } }
) {}

class Ticket extends Model.Class<Ticket>("Ticket")(
  { id: Model.id(Id), showId: Model.replicate(Id), holder: Schema.NonEmptyString },
  {
    references: { showId: { model: Show, onDelete: "restrict" } },
    indexes: ["showId", "holder"],
    writes: { create: "commands", change: "never" }
  }
) {}

/** A show that is on a stage, and has a door time. */
class LaterShow extends Model.Class<LaterShow>("Show")(
  {
    id: Model.id(Id),
    title: Schema.NonEmptyString.pipe(Model.replicate),
    seats,
    stage: Schema.optionalKey(Schema.NonEmptyString),
    doors: Schema.String.pipe(Schema.withDecodingDefaultKey(Effect.succeed("19:00")))
  },
  { writes: { change: "commands" }, indexes: ["doors"] }
) {}

class CompatibleTicket extends Model.Class<CompatibleTicket>("Ticket")(
  {
    id: Model.id(Id),
    showId: Model.replicate(Id),
    holder: Schema.NonEmptyString,
    note: Schema.optionalKey(Schema.String)
  },
  {
    references: { showId: { model: LaterShow, onDelete: "restrict" } },
    indexes: ["showId", "holder", "note"],
    writes: { create: "commands", change: "never" }
  }
) {}

class NextTicket extends Model.Class<NextTicket>("Ticket")(
  { id: Model.id(Id), showId: Model.replicate(Id), buyer: Schema.NonEmptyString, code: Schema.Finite },
  {
    version: 2,
    references: { showId: { model: LaterShow, onDelete: "restrict" } },
    indexes: ["showId", "buyer", "code"],
    writes: { create: "commands", change: "never" },
    lift: Model.from(1, {
      id: Schema.String,
      showId: Schema.String,
      holder: Schema.String,
      note: Schema.optionalKey(Schema.String)
    })
      .drop("note")
      .rename("holder", "buyer")
      // No function: nodes agree all the same, since each stores what the leader read.
      .map((record) => ({ ...record, code: Math.random() }))
      .to(2)
  }
) {}

const payload = Schema.Struct({ showId: Id, holder: Schema.NonEmptyString })
const buyFirst = Command.make("buyTicket", { payload, success: Ticket, error: [SoldOut] })
const buyCompatible = Command.make("buyTicket", { payload, success: CompatibleTicket, error: [SoldOut] })
const buyNext = Command.make("buyTicket", { payload, success: NextTicket, error: [SoldOut] })

/** Takes a seat of a show. */
const takeSeat = Effect.fnUntraced(function* (model: typeof Show | typeof LaterShow, showId: string) {
  const transaction = yield* Command.Transaction
  const { seats, title } = yield* transaction.get(model as typeof Show, showId)
  if (seats === 0) return yield* new SoldOut({ show: title })
  yield* transaction.patch(model as typeof Show, showId, { seats: seats - 1 })
  return transaction
})

const firstHandlers = Command.layer(
  buyFirst,
  Effect.fnUntraced(function* ({ holder, showId }) {
    const { create } = yield* takeSeat(Show, showId)
    return yield* create(Ticket, { showId, holder })
  })
)

const compatibleHandlers = Command.layer(
  buyCompatible,
  Effect.fnUntraced(function* ({ holder, showId }) {
    const { create } = yield* takeSeat(LaterShow, showId)
    return yield* create(CompatibleTicket, { showId, holder })
  })
)
const nextHandlers = Command.layer(
  buyNext,
  Effect.fnUntraced(function* ({ holder, showId }) {
    const { create } = yield* takeSeat(LaterShow, showId)
    return yield* create(NextTicket, { showId, buyer: holder, code: 0 })
  })
)

type AnyTicket = typeof Ticket | typeof CompatibleTicket | typeof NextTicket
const mailsOf = (model: AnyTicket) => Reaction.make("confirmation", { from: [model], run: () => Effect.void })
const salesOf = (model: AnyTicket) =>
  Projection.make("sales", {
    from: [model],
    version: 1,
    state: Schema.Int,
    initial: 0,
    evolve: (sold, { type }) => sold + (type === "created" ? 1 : 0)
  })

const releases = {
  first: Lithair.layerHttp({
    models: [Show, Ticket],
    commands: [buyFirst],
    projections: [salesOf(Ticket)],
    reactions: [mailsOf(Ticket)]
  }).pipe(Layer.provide(firstHandlers)),
  compatible: Lithair.layerHttp({
    models: [LaterShow, CompatibleTicket],
    commands: [buyCompatible],
    projections: [salesOf(CompatibleTicket)],
    reactions: [mailsOf(CompatibleTicket)]
  }).pipe(Layer.provide(compatibleHandlers)),
  next: Lithair.layerHttp({
    models: [LaterShow, NextTicket],
    commands: [buyNext],
    projections: [salesOf(NextTicket)],
    reactions: [mailsOf(NextTicket)]
  }).pipe(Layer.provide(nextHandlers))
}

const named = process.env.TICKETING_RELEASE as keyof typeof releases
run(releases[named], { directory: ".lithair/ticketing", path: "/api/shows", curls: [] })
