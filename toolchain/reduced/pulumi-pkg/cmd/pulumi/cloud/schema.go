package cloud

import "strings"

// mdInline puts a text into one line of Markdown.
func mdInline(text string) string { return strings.Join(strings.Fields(text), " ") }

// markdownEnumTail lists values of a parameter.
func markdownEnumTail(values []string) string {
	return "_one of:_ `" + strings.Join(values, "`, `") + "`"
}
