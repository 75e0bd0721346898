package cloud

import "strings"

// mdInline puts a text into one line of Markdown.
func mdInline(text string) string { return strings.Join(strings.Fields(text), " ") }
