/** Schemas of the problems, for the OpenAPI document and the typed client. Problem.ts has the table. */
import { Schema } from "effect"
import { HttpApiSchema } from "effect/http-api"
import { invariant } from "../Invariant.ts"
import { plainRule } from "../Model/Rules.ts"
import { type ProblemName, problemDefinitions, problemMediaType } from "../Problem.ts"

const commonMembers = {
  detail: Schema.String,
  errors: Schema.optionalKey(Schema.Array(Schema.Struct({ path: Schema.String, message: Schema.String }))),
  opIndex: Schema.optionalKey(Schema.Int)
}

/** Marks a schema as the body of a problem. */
export const asProblem = <S extends Schema.Top>(body: S) =>
  body.pipe(HttpApiSchema.asJson({ contentType: problemMediaType }))

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
    .pipe(asProblem)
}

/** The body of the problem for a broken rule of a model. The application names the rule. */
const ruleSchema = (name: string): Schema.Top =>
  Schema.Struct({
    ...commonMembers,
    type: Schema.Literal(`urn:lithair:problem:${name}`),
    status: Schema.Literal(409),
    title: Schema.String
  })
    .annotate({ identifier: `problem.${name}`, description: "Rule broken", httpApiStatus: 409 })
    .pipe(asProblem)

const schemas = new Map<string, Schema.Top>()

const once = <Name extends string>(name: Name, make: (name: Name) => Schema.Top): Schema.Top => {
  const known = schemas.get(name)
  if (known !== undefined) return known
  const schema = make(name)
  schemas.set(name, schema)
  return schema
}

/** The schema of a problem: the same value each time, so that a document names it once. */
export const schemaOfProblem = (name: ProblemName): Schema.Top => once(name, problemSchema)

/** The schema of the problem for a broken rule. Several models may have rules of the same name. */
export const schemaOfRule = (name: string): Schema.Top => {
  if (name === plainRule) return schemaOfProblem(plainRule)
  invariant(!Object.hasOwn(problemDefinitions, name), `A rule has the name of another problem: "${name}"`)
  return once(name, ruleSchema)
}
