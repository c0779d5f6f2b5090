export { applyThroughGates } from "../run/measure/through-gates.ts";
