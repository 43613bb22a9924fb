/** The name of one header. It has a file of its own so that the client does not load the schemas of the others. */

/** The header whose value a client sends back as `Lithair-Min-Index` to read its own writes (`consistency=session`). */
export const indexHeader = "lithair-index"
