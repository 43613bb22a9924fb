/** Where what is served is: one table for the routes, the document and the client. docs/http.md, "Endpoints". */

/** The records of a model. */
export const collectionPath = ({ path }: { readonly path: string }): `/api/${string}` => `/api/${path}`

/** Several operations as one. */
export const transactionPath = "/api/_tx"

/** A declared command. */
export const commandPath = ({ name }: { readonly name: string }): `/api/_commands/${string}` => `/api/_commands/${name}`

/** The projections of a node, and one of them. */
export const projectionsPath = "/api/_projections"
export const projectionPath = ({ name }: { readonly name: string }): `/api/_projections/${string}` =>
  `${projectionsPath}/${name}`

/** Where it is said what became of the requests with a key. */
export const operationsPath = "/api/_operations"
export const operationPath = (key: string): string => `${operationsPath}/${encodeURIComponent(key)}`
