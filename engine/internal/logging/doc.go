// Package logging makes the engine's logger: JSON, text, or short lines for a
// terminal, with personal data masked.
package logging
