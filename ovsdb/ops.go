package ovsdb

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ovn-kubernetes/libovsdb/ovsdb"
)

// ownedKey marks, in external_ids, what we made or took over; only that is ever removed.
const ownedKey = "weft-owned"

func owned(externalIDs map[string]string) bool { return externalIDs[ownedKey] == "true" }

// operations collects the operations of one transaction. Rows that it inserts are referred to by a name until the
// database gives them a UUID.
type operations struct {
	ops []ovsdb.Operation
	n   int
}

// insert adds a row and returns what others may refer to it by.
func (o *operations) insert(table string, row ovsdb.Row) (uuid string) {
	o.n++
	uuid = fmt.Sprintf("row%d", o.n)
	o.ops = append(o.ops, ovsdb.Operation{Op: ovsdb.OperationInsert, Table: table, Row: row, UUIDName: uuid})
	return uuid
}

// update sets columns of a row.
func (o *operations) update(table, uuid string, row ovsdb.Row) {
	o.ops = append(o.ops, ovsdb.Operation{Op: ovsdb.OperationUpdate, Table: table, Where: where(uuid), Row: row})
}

// mutate adds to or takes from sets and maps of a row, and leaves their other elements alone.
func (o *operations) mutate(table, uuid string, m ...ovsdb.Mutation) {
	o.ops = append(o.ops, ovsdb.Operation{Op: ovsdb.OperationMutate, Table: table, Where: where(uuid), Mutations: m})
}

func where(uuid string) []ovsdb.Condition {
	return []ovsdb.Condition{ovsdb.NewCondition("_uuid", ovsdb.ConditionEqual, ovsdb.UUID{GoUUID: uuid})}
}

// setKeys sets keys of a map. An empty value takes the key away. The mutator "insert" does not replace, hence both.
func setKeys(column string, want map[string]string) []ovsdb.Mutation {
	var keys []any
	pairs := map[any]any{}
	for _, k := range slices.Sorted(maps.Keys(want)) {
		keys = append(keys, k)
		if want[k] != "" {
			pairs[k] = want[k]
		}
	}
	out := []ovsdb.Mutation{{Column: column, Mutator: ovsdb.MutateOperationDelete, Value: ovsdb.OvsSet{GoSet: keys}}}
	if len(pairs) > 0 {
		out = append(out, ovsdb.Mutation{Column: column, Mutator: ovsdb.MutateOperationInsert, Value: ovsdb.OvsMap{GoMap: pairs}})
	}
	return out
}

func addRef(column, uuid string) ovsdb.Mutation {
	return ovsdb.Mutation{Column: column, Mutator: ovsdb.MutateOperationInsert, Value: refs(uuid)}
}

func dropRef(column, uuid string) ovsdb.Mutation {
	return ovsdb.Mutation{Column: column, Mutator: ovsdb.MutateOperationDelete, Value: refs(uuid)}
}

// refs is a set of references to rows.
func refs(uuids ...string) ovsdb.OvsSet {
	set := ovsdb.OvsSet{GoSet: []any{}}
	for _, u := range uuids {
		set.GoSet = append(set.GoSet, ovsdb.UUID{GoUUID: u})
	}
	return set
}

// strs is a set of strings.
func strs(ss ...string) ovsdb.OvsSet {
	set := ovsdb.OvsSet{GoSet: []any{}}
	for _, s := range ss {
		set.GoSet = append(set.GoSet, s)
	}
	return set
}

// dict is a map of strings.
func dict(m map[string]string) ovsdb.OvsMap {
	out := ovsdb.OvsMap{GoMap: map[any]any{}}
	for k, v := range m {
		out.GoMap[k] = v
	}
	return out
}

// empty is the value of a column that is to hold nothing.
var empty = ovsdb.OvsSet{GoSet: []any{}}
