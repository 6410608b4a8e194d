// Package apidocs holds the generated description of the REST door, so that a server can hand it out.
package apidocs

import _ "embed"

// OpenAPI is the OpenAPI 2.0 description of the REST door, as JSON.
//
//go:embed weft.swagger.json
var OpenAPI []byte
