/** The name of one header, apart so that the client loads it without the schemas of the others. */

/** The header that a client sends back as `Lithair-Min-Index` to read its own writes (`consistency=session`). */
export const indexHeader = "lithair-index"
