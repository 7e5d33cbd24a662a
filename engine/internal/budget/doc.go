// Package budget only measures: what a plugin in a process of its own costs
// against the same code called directly. docs/performance.md has the numbers.
package budget
