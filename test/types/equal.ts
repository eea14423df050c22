/** Compares types: `const check: Equal<A, B> = true` compiles when they are the same. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
