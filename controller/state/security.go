package state

import (
	"fmt"
	"iter"

	"github.com/weft-sdn/weft/controller/model"
)

// SecurityGroup returns the security group, or nil.
func (s Snapshot) SecurityGroup(id string) *model.SecurityGroup {
	return get[model.SecurityGroup](s, SecurityGroups, "id", id)
}

// SecurityGroupRule returns the rule, or nil.
func (s Snapshot) SecurityGroupRule(id string) *model.SecurityGroupRule {
	return get[model.SecurityGroupRule](s, SecurityGroupRules, "id", id)
}

// AddressGroup returns the address group, or nil.
func (s Snapshot) AddressGroup(id string) *model.AddressGroup {
	return get[model.AddressGroup](s, AddressGroups, "id", id)
}

// GroupSet returns the number of a set of security groups, or nil when no port has it.
func (s Snapshot) GroupSet(key string) *model.GroupSet {
	return get[model.GroupSet](s, GroupSets, "id", key)
}

// QoSPolicy returns the policy, or nil.
func (s Snapshot) QoSPolicy(id string) *model.QoSPolicy {
	return get[model.QoSPolicy](s, QoSPolicies, "id", id)
}

// SecurityGroups iterates over all security groups in order of id; the others likewise.
func (s Snapshot) SecurityGroups() iter.Seq[*model.SecurityGroup] {
	return all[model.SecurityGroup](s, SecurityGroups, "id")
}

// SecurityGroupRules iterates over all rules.
func (s Snapshot) SecurityGroupRules() iter.Seq[*model.SecurityGroupRule] {
	return all[model.SecurityGroupRule](s, SecurityGroupRules, "id")
}

// AddressGroups iterates over all address groups.
func (s Snapshot) AddressGroups() iter.Seq[*model.AddressGroup] {
	return all[model.AddressGroup](s, AddressGroups, "id")
}

// QoSPolicies iterates over all QoS policies.
func (s Snapshot) QoSPolicies() iter.Seq[*model.QoSPolicy] {
	return all[model.QoSPolicy](s, QoSPolicies, "id")
}

// SecurityGroupsOfProject iterates over a project's security groups.
func (s Snapshot) SecurityGroupsOfProject(project string) iter.Seq[*model.SecurityGroup] {
	return all[model.SecurityGroup](s, SecurityGroups, "project", project)
}

// SecurityGroupByNumber returns the security group with that number, or nil.
func (s Snapshot) SecurityGroupByNumber(number uint32) *model.SecurityGroup {
	return get[model.SecurityGroup](s, SecurityGroups, "number", fmt.Sprint(number))
}

// AddressGroupByNumber returns the address group with that number, or nil.
func (s Snapshot) AddressGroupByNumber(number uint32) *model.AddressGroup {
	return get[model.AddressGroup](s, AddressGroups, "number", fmt.Sprint(number))
}

// GroupSetByNumber returns the set of security groups with that number, or nil.
func (s Snapshot) GroupSetByNumber(number uint32) *model.GroupSet {
	return get[model.GroupSet](s, GroupSets, "number", fmt.Sprint(number))
}

// RulesOf iterates over the rules of a security group.
func (s Snapshot) RulesOf(group string) iter.Seq[*model.SecurityGroupRule] {
	return all[model.SecurityGroupRule](s, SecurityGroupRules, "group", group)
}

// RulesAboutGroup iterates over the rules that name a security group as the other side.
func (s Snapshot) RulesAboutGroup(group string) iter.Seq[*model.SecurityGroupRule] {
	return all[model.SecurityGroupRule](s, SecurityGroupRules, "remotegroup", group)
}

// RulesAboutAddressGroup iterates over the rules that name an address group as the other side.
func (s Snapshot) RulesAboutAddressGroup(group string) iter.Seq[*model.SecurityGroupRule] {
	return all[model.SecurityGroupRule](s, SecurityGroupRules, "addressgroup", group)
}

// PortsSecuredBy iterates over the ports, with port security, that have a security group.
func (s Snapshot) PortsSecuredBy(group string) iter.Seq[*model.Port] {
	return all[model.Port](s, Ports, "secured", group)
}

// PortsWithGroupSet iterates over the ports, with port security, that have exactly these security groups.
func (s Snapshot) PortsWithGroupSet(key string) iter.Seq[*model.Port] {
	return all[model.Port](s, Ports, "groupset", key)
}

// PortsWithQoS iterates over the ports that name a QoS policy.
func (s Snapshot) PortsWithQoS(policy string) iter.Seq[*model.Port] {
	return all[model.Port](s, Ports, "qos", policy)
}

// NetworksWithQoS iterates over the networks that name a QoS policy.
func (s Snapshot) NetworksWithQoS(policy string) iter.Seq[*model.Network] {
	return all[model.Network](s, Networks, "qos", policy)
}
