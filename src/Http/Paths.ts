/** The paths of the API, for the routes, the document and the client. docs/http.md, "Endpoints". */

/** The path of a model's records. */
export const collectionPath = ({ path }: { readonly path: string }): `/api/${string}` => `/api/${path}`

/** The path of a record's history. */
export const historyPath = (model: { readonly path: string }, id: string): `/api/${string}` =>
  `${collectionPath(model)}/${id}/history`

/** The path of a model's changes, and of the changes of several models. */
export const changesPath = (model: { readonly path: string }): `/api/${string}` => `${collectionPath(model)}/changes`
export const allChangesPath = "/api/_changes"

/** The path of a live query of a model, and of several live queries on one stream. */
export const livePath = (model: { readonly path: string }): `/api/${string}` => `${collectionPath(model)}/live`
export const liveQueriesPath = "/api/_live"

/** The path of transactions. */
export const transactionPath = "/api/_tx"

/** The path of a declared command. */
export const commandPath = ({ name }: { readonly name: string }): `/api/_commands/${string}` => `/api/_commands/${name}`

/** The paths of a node's projections, and of one projection. */
export const projectionsPath = "/api/_projections"
export const projectionPath = ({ name }: { readonly name: string }): `/api/_projections/${string}` =>
  `${projectionsPath}/${name}`

/** The paths of operations, and of one operation by its idempotency key. */
export const operationsPath = "/api/_operations"
export const operationPath = (key: string): string => `${operationsPath}/${encodeURIComponent(key)}`
