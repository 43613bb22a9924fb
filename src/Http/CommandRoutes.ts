/** Declares and serves `POST /api/_commands/{name}`, which runs a declared command. docs/http.md, "Endpoints". */
import { Schema, SchemaAST } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { type Any, type ErrorClass, statusOf, tagOf } from "../Command/Declaration.ts"
import { kindOfError, titleOf } from "../Command/DeclaredProblem.ts"
import { invariant } from "../Invariant.ts"
import { problemDefinitions } from "../Problem.ts"
import type { Commands } from "../Repository/Commands.ts"
import { jsonMediaTypes } from "./Body.ts"
import { answer, awaiting, endpoint, type Handler, withValue } from "./Handler.ts"
import { type ApiModel, operationProblems, writeHeaders } from "./ModelEndpoints.ts"
import { problemOfChange } from "./Outcomes.ts"
import { commandPath } from "./Paths.ts"
import { asProblem } from "./ProblemSchema.ts"
import { outcomeHeaders } from "./RecordResponse.ts"
import { positionHeaderSchemas } from "./ResponseHeaders.ts"
import { checkHead, readWrite } from "./WriteRequest.ts"

/** Makes one group of the endpoints of these commands, if there are any. */
export const commandGroups = (commands: ReadonlyArray<Any>, models: ReadonlyArray<ApiModel>) => {
  const [first, ...others] = commands.map((command) => endpointOf(command, models))
  // No model can take this name: a model's name starts with a letter.
  const group = HttpApiGroup.make("_commands").annotateMerge(OpenApi.annotations({ title: "Commands" }))
  return first === undefined ? [] : [group.add(first, ...others)]
}

const endpointOf = (command: Any, models: ReadonlyArray<ApiModel>) =>
  HttpApiEndpoint.post(command.name, commandPath(command), {
    headers: writeHeaders,
    payload: command.payload,
    // The answer is JSON, and null is JSON's void.
    success: HttpApiSchema.WithHeaders(SchemaAST.isVoid(command.success.ast) ? Schema.Null : command.success, {
      ...positionHeaderSchemas,
      "idempotent-replayed": Schema.optionalKey(Schema.Literal("true"))
    }),
    error: [...operationProblems(models), ...command.errors.map(problemSchemaOf)]
  }).annotateMerge(OpenApi.annotations({ summary: `Run the command ${command.name}`, description }))

const description = "The leader runs it as one transaction: it does all of it, or nothing."

/** The body of a declared error: its own fields beside the members of every problem. */
const problemSchemaOf = (error: ErrorClass) => {
  const { _tag, ...fields } = error.fields
  const tag = tagOf(error)
  return Schema.Struct({
    ...(fields as Schema.Struct.Fields),
    type: Schema.Literal(`urn:lithair:problem:${kindOfError(tag)}`),
    status: Schema.Literal(statusOf(error)),
    title: Schema.Literal(titleOf(tag)),
    detail: Schema.String
  })
    .annotate({ identifier: `problem.${kindOfError(tag)}`, description: titleOf(tag), httpApiStatus: statusOf(error) })
    .pipe(asProblem)
}

/** Makes the endpoints of these commands. */
export const commandRoutes = (declared: ReadonlyArray<Any>, commands: Commands["Service"]) =>
  declared.map((command) => {
    checkKinds(command.errors)
    const call: Handler = (head) =>
      withValue(checkHead(head, "POST"), () =>
        readWrite(head, jsonMediaTypes, (data, origin) =>
          awaiting({
            begin: commands.beginCall(head.caller, { name: command.name, payload: data, ...origin }),
            onSuccess: (called) => answer(200, outcomeHeaders(called), JSON.stringify(called.value)),
            onFailure: (error) => problemOfChange(error, origin.key, { commands: [command] })
          })
        )
      )
    return endpoint("POST", commandPath(command), call)
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
