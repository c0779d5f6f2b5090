/**
 * The comment on a schema or role that an install has made. Without it, it was there before and is the host's: an uninstall leaves
 * it.
 */
export const MADE_BY = "made by underpin";
