/** Runs declared commands by the services of a node. The leader decides them. */
import { Effect, Option, Result, Schema } from "effect"
import type { Caller } from "../../Access/Caller.ts"
import { type Any, decodeError } from "../../Command/Declaration.ts"
import { jsonEncoder } from "../../Model/JsonEncoder.ts"
import { copyOf } from "../../Model/PlainJson.ts"
import { answerBy, type Problem, responds } from "../../Problem.ts"
import { Refused } from "../../Repository/Changed.ts"
import type { CallFailure, Commands } from "../../Repository/Commands.ts"
import { misfit, Unreadable } from "../Failure.ts"
import type { ChangeOptions } from "../ModelRepository.ts"
import type { Repository } from "../Repository.ts"
import * as Request from "../Request.ts"
import { failureOf, ownRefusal } from "./Failure.ts"
import { originOfChange } from "./Origin.ts"
import type { Session } from "./Reading.ts"

type Run = Repository["Service"]["run"]

/** Makes the way to run commands. */
export const make = (caller: Caller, commands: Pick<Commands["Service"], "call">, session: Session): Run => {
  const run = Effect.fnUntraced(function* (command: Any, value: unknown, { key }: ChangeOptions = {}) {
    const payload = yield* misfit(jsonEncoder(command.payload)(value))
    const origin = yield* originOfChange(Request.call(command, payload), key)
    const called = yield* commands.call(caller, { name: command.name, payload, ...origin }).pipe(
      session.watch,
      Effect.mapError((failure) =>
        Option.getOrElse(declaredOf(command, failure), () => failureOf(failure, { command, key }))
      )
    )
    return yield* Effect.fromResult(
      Result.mapError(
        Schema.decodeUnknownResult(Schema.toCodecJson(command.success))(copyOf(called.value)),
        ({ message }) => new Unreadable({ message })
      )
    )
  })
  return run as unknown as Run
}

/** The error that the command declares, if the machine's refusal is one. */
const declaredOf = (command: Any, failure: CallFailure): Option.Option<unknown> => {
  if (!(failure instanceof Refused)) return Option.none()
  const own = ownRefusal(failure)
  if (own.rejection._tag !== "Declared") return Option.none()
  const met = own.toProblem(undefined, { commands: [command] })
  return Option.map(decodeError(command.errors, own.rejection.error), answeredBy(met))
}

/** Has a handler of the application that fails with this error answer with its problem, as the command's own endpoint does. */
const answeredBy =
  (met: Problem) =>
  <A>(error: A): A => {
    if (typeof error === "object" && error !== null) {
      Object.defineProperty(error, responds, { value: () => answerBy(met), configurable: true })
    }
    return error
  }
