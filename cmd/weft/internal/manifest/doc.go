// Package manifest reads and writes objects as files: YAML documents (JSON is YAML too) with "kind" and the API's fields,
// flat:
//
//	kind: subnet
//	name: blue-v4
//	network_id: blue
//	cidr: 10.0.1.0/24
//
// Reading is strict. A field that does not exist, is there twice, or cannot have the effect that it promises is refused,
// with file and line, and all that is wrong is told at once. Fields that only the server sets (status, revision, …) are
// read over, so that what "weft get -o yaml" prints can be edited and applied.
package manifest
