/** Serves `POST /api/_commands/{name}`, which runs a declared command. docs/http.md, "Endpoints". */
import { Effect } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { type Any, type ErrorClass, tagOf } from "../Command/Declaration.ts"
import { kindOfError } from "../Command/DeclaredProblem.ts"
import { invariant } from "../Invariant.ts"
import { problemDefinitions } from "../Problem.ts"
import type { Commands } from "../Repository/Commands.ts"
import { jsonMediaTypes } from "./Body.ts"
import { readBody, readHead } from "./ModelWrites.ts"
import { problemOfChange } from "./Outcomes.ts"
import { commandPath } from "./Paths.ts"
import { outcomeHeaders } from "./RecordResponse.ts"

/** Makes the routes of these commands. */
export const commandRoutes = (declared: ReadonlyArray<Any>, commands: Commands["Service"]) =>
  declared.map((command) => {
    checkKinds(command.errors)
    const call = Effect.gen(function* () {
      const asked = yield* readHead("POST")
      const { data, origin } = yield* readBody(asked, jsonMediaTypes)
      const called = yield* Effect.mapError(commands.call({ name: command.name, payload: data, ...origin }), (error) =>
        problemOfChange(error, origin.key, { commands: [command] })
      )
      return HttpServerResponse.jsonUnsafe(called.value, { headers: outcomeHeaders(called) })
    })
    return HttpRouter.route("POST", commandPath(command), call)
  })

/** A declared error must not take the type of one of Lithair's own problems. */
const checkKinds = (errors: ReadonlyArray<ErrorClass>): void => {
  for (const error of errors) {
    const kind = kindOfError(tagOf(error))
    invariant(
      !Object.hasOwn(problemDefinitions, kind),
      `The error "${tagOf(error)}" would be the problem "${kind}", which is Lithair's own: rename the error`
    )
  }
}
