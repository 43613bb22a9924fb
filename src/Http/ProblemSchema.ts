/** The problems as schemas, for the OpenAPI document and the typed client. The table itself is in Problem.ts. */
import { Schema } from "effect"
import { HttpApiSchema } from "effect/http-api"
import { type ProblemName, problemDefinitions, problemMediaType } from "./Problem.ts"

const commonMembers = {
  detail: Schema.String,
  errors: Schema.optionalKey(Schema.Array(Schema.Struct({ path: Schema.String, message: Schema.String }))),
  opIndex: Schema.optionalKey(Schema.Int)
}

const problemSchema = (name: ProblemName): Schema.Top => {
  const definition: { readonly status: number; readonly title: string; readonly members: Schema.Struct.Fields } =
    problemDefinitions[name]
  return Schema.Struct({
    ...commonMembers,
    ...definition.members,
    type: Schema.Literal(`urn:lithair:problem:${name}`),
    status: Schema.Literal(definition.status),
    title: Schema.String
  })
    .annotate({ identifier: `problem.${name}`, description: definition.title, httpApiStatus: definition.status })
    .pipe(HttpApiSchema.asJson({ contentType: problemMediaType }))
}

const schemas = new Map<ProblemName, Schema.Top>()

/** The schema of a problem's body, the same value each time, so that a document names it once. */
export const schemaOfProblem = (name: ProblemName): Schema.Top => {
  const known = schemas.get(name)
  if (known !== undefined) return known
  const schema = problemSchema(name)
  schemas.set(name, schema)
  return schema
}
