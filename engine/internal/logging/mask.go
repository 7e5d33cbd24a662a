package logging

import (
	"log/slog"
	"regexp"

	"github.com/datadis-engine/datadis/sdk"
)

// Identifiers inside other texts: errors, messages, addresses. A CUPS is ES, 16
// digits, two letters, and sometimes two more characters.
var (
	cupsPattern = regexp.MustCompile(`(?i)\bES\d{16}[A-Z]{2}(\d[A-Z])?\b`)
	nifPattern  = regexp.MustCompile(`\b(\d{8}[A-Z]|[XYZ]\d{7}[A-Z]|[A-HJNP-SUVW]\d{7}[0-9A-J])\b`)
)

// replaceMasked masks the identifiers in an attribute, whatever type carries
// them. It is handed to slog's handlers, which call it for the message too.
func replaceMasked(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(Mask(a.Value.String()))
	case slog.KindAny:
		a.Value = maskAny(a.Value)
	}
	return a
}

func maskAny(v slog.Value) slog.Value {
	switch x := v.Any().(type) {
	case sdk.CUPS:
		return slog.StringValue(x.Masked())
	case sdk.NIF:
		return slog.StringValue(x.Masked())
	case []sdk.CUPS:
		return slog.AnyValue(each(x, sdk.CUPS.Masked))
	case []sdk.NIF:
		return slog.AnyValue(each(x, sdk.NIF.Masked))
	case []string:
		return slog.AnyValue(each(x, Mask))
	case error:
		return slog.StringValue(Mask(x.Error()))
	case interface{ String() string }:
		return slog.StringValue(Mask(x.String()))
	default:
		return v
	}
}

func each[T any](items []T, mask func(T) string) []string {
	masked := make([]string, len(items))
	for i, item := range items {
		masked[i] = mask(item)
	}
	return masked
}

// Mask masks every CUPS and NIF in a text.
func Mask(text string) string {
	text = cupsPattern.ReplaceAllStringFunc(text, func(s string) string { return sdk.CUPS(s).Masked() })
	return nifPattern.ReplaceAllStringFunc(text, func(s string) string { return sdk.NIF(s).Masked() })
}
