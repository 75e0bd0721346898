package cloud

import (
	"context"
	"encoding/json"
	"io"

	"github.com/gorilla/mux"
	"github.com/pulumi/pulumi/sdk/v3/go/common/util/cmdutil"
)

// The engine reads the description of Pulumi Cloud's interface, which `pulumi api` alone needs, by a library that
// takes a quarter of the engine's whole compilation. Here are the names that the command's other files know, and no
// reader: the command says what it lacks.

// ParamSpec is a parameter of an operation.
type ParamSpec struct {
	Name, In, Type, Description string
	Required                    bool
	Values                      []string
}

// ResponseSpec is an answer with a schema.
type ResponseSpec struct {
	Status, Description, ContentType, SchemaText, SchemaMarkdown string
	SchemaJSON                                                   json.RawMessage
}

// ErrorRef is an answer without one.
type ErrorRef struct{ Status, Description string }

// Operation is an operation of the interface.
type Operation struct {
	OperationID, Method, Path, Summary, Description, Tag, SupersededBy string
	BodyContentType, BodySchemaText, BodySchemaMarkdown                string
	ResponseContentType, ResponseSchemaText                            string
	HasBody, IsPreview, IsDeprecated                                   bool
	BodySchemaJSON, ResponseSchemaJSON                                 json.RawMessage
	Params                                                             []ParamSpec
	SuccessContentTypes                                                []string
	InlineResponses                                                    []ResponseSpec
	StockErrors                                                        []ErrorRef
}

// Key is the operation's method and path.
func (o *Operation) Key() string { return o.Method + " " + o.Path }

// Index is all operations.
type Index struct {
	Operations  []*Operation
	ByKey       map[string]*Operation
	SpecVersion string
	router      *mux.Router
}

var methodPrecedence = map[string]int{}

// LoadIndex says that there is none.
func LoadIndex(context.Context, io.Writer, bool) (*Index, error) {
	return nil, NewAPIError(cmdutil.ExitInternalError, ErrSpecParse,
		"this pulumi was compiled from source without its reader of Pulumi Cloud's interface; the official release has it")
}
