/** What declared commands look like over HTTP: their endpoints, declared. Handlers are in CommandRoutes.ts. */
import { Schema, SchemaAST } from "effect"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import { type Any, type ErrorClass, statusOf, tagOf } from "../Command/Declaration.ts"
import { kindOfError, titleOf } from "../Command/DeclaredProblem.ts"
import { type ApiModel, operationProblems, writeHeaders } from "./ModelEndpoints.ts"
import { commandPath } from "./Paths.ts"
import { asProblem } from "./ProblemSchema.ts"
import { positionHeaderSchemas } from "./ResponseHeaders.ts"

/** The endpoints of these commands as one group, if there are any. */
export const commandGroups = (commands: ReadonlyArray<Any>, models: ReadonlyArray<ApiModel>) => {
  const [first, ...others] = commands.map((command) => endpointOf(command, models))
  // Named so that no model can take its place: a model's name starts with a letter.
  const group = HttpApiGroup.make("_commands").annotateMerge(OpenApi.annotations({ title: "Commands" }))
  return first === undefined ? [] : [group.add(first, ...others)]
}

const endpointOf = (command: Any, models: ReadonlyArray<ApiModel>) =>
  HttpApiEndpoint.post(command.name, commandPath(command), {
    headers: writeHeaders,
    payload: command.payload,
    // Void is answered as JSON, as all else is, and JSON has null for it.
    success: HttpApiSchema.WithHeaders(SchemaAST.isVoid(command.success.ast) ? Schema.Null : command.success, {
      ...positionHeaderSchemas,
      "idempotent-replayed": Schema.optionalKey(Schema.Literal("true"))
    }),
    error: [...operationProblems(models), ...command.errors.map(problemSchemaOf)]
  }).annotateMerge(OpenApi.annotations({ summary: `Run the command ${command.name}`, description }))

const description = "One transaction on the leader: all of it is done, or nothing."

/** The body of a declared error: its fields, beside what every problem has. */
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
