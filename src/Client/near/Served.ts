/** Refuses what this node does not serve, as its HTTP API does: the program has another release of the application. */
import { Effect, Stream } from "effect"
import type { Any as Command } from "../../Command/Declaration.ts"
import type { Served } from "../../Http/Serving.ts"
import { describe } from "../../Model/Class.ts"
import type { RowClass } from "../../Model/RowCodecs.ts"
import { atOperation, notFound, notServed, type Problem } from "../../Problem.ts"
import type { Folded } from "../../Projection/Definition.ts"
import type { EncodedChange } from "../Change.ts"
import type { ModelRepository } from "../ModelRepository.ts"

/** Checks what a program names against the declarations of its node. Only the names count: another release may have declared them. */
export const make = ({ commands, models, projections }: Pick<Served, "commands" | "models" | "projections">) => {
  const modelNames = new Set(models.map((model) => describe(model).name))
  const commandNames = new Set(commands.map(({ name }) => name))
  const check = (isServed: boolean, name: string): Effect.Effect<void, Problem> =>
    isServed ? Effect.void : Effect.fail(missing(name))
  return {
    hasModel: (model: RowClass): boolean => modelNames.has(describe(model).name),
    model: (model: RowClass) => check(modelNames.has(describe(model).name), describe(model).name),
    changes: (changes: ReadonlyArray<EncodedChange>): Effect.Effect<void, Problem> => {
      const position = changes.findIndex(({ descriptor }) => !modelNames.has(descriptor.name))
      const name = changes[position]?.descriptor.name
      return name === undefined
        ? Effect.void
        : Effect.fail(atOperation(notFound(`There is no model ${name}`), position))
    },
    command: (command: Command) => check(commandNames.has(command.name), command.name),
    /** A projection's states have the types of its own declaration. */
    projection: (projection: Folded<unknown>) => check(projections.includes(projection), projection.name)
  }
}

/** What a program names against the declarations of its node. */
export type ServedHere = ReturnType<typeof make>

/** The records of a model that the node does not serve. */
export const noRecords = (model: RowClass): ModelRepository<RowClass> => {
  const refuse = () => Effect.fail(missing(describe(model).name))
  return {
    get: refuse,
    at: refuse,
    history: refuse,
    list: refuse,
    create: refuse,
    createAll: refuse,
    put: refuse,
    patch: refuse,
    delete: refuse,
    changes: () => Stream.fromEffect(refuse()),
    live: () => Stream.fromEffect(refuse())
  }
}

const missing = (name: string): Problem => notServed(`This node does not serve ${name}: add it to the application`)
