package plan

import nodev1 "github.com/weft-sdn/weft/proto/weft/node/v1"

func read(r *nodev1.Resource) (Resource, error) {
	return nil, &FieldError{"spec", "this agent knows no such resource"}
}
