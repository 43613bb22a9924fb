/** Who may do what: rules on models, commands and projections, and how callers show who they are. */
export {
  type Anonymous,
  anonymous,
  type Caller,
  hasRole,
  idOf,
  type Principal,
  type System,
  system
} from "./Access/Caller.ts"
export type { Policy, SetSource } from "./Access/Policy.ts"
export {
  type Action,
  all,
  any,
  anyone,
  type FieldOperand,
  nobody,
  type Rule,
  type Rules,
  rules,
  type Scope,
  signedIn,
  type Value,
  type Values,
  type Who,
  who
} from "./Access/Rule.ts"
export {
  type ApiKeys,
  type Auth,
  type Authenticator,
  AuthUnavailable,
  apiKeys,
  type External,
  external,
  set,
  Unauthenticated
} from "./Http/Authenticator.ts"
export { type CookieOptions, cookie } from "./Http/Cookie.ts"
export { type Jose, type JwtOptions, jwt } from "./Http/Jwt.ts"
