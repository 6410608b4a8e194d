// Package cloud is a lab with Weft running in it, used as an orchestrator uses Weft: over gRPC. It makes networks, ports
// and the VMs that go with them, waits for them, and takes them away again.
package cloud
