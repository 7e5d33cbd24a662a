package kafkatest

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/datadis-engine/datadis/engine/internal/loopback"
)

// Right is what a user may do with topics or groups whose names begin alike.
type Right struct {
	Resource   string // topic or group, as kafka-acls says
	Prefix     string
	Operations []string // read, describe, …
}

// Allow gives rights to the user of a guarded broker.
func (s *Server) Allow(t testing.TB, rights ...Right) {
	t.Helper()
	request := kmsg.NewPtrCreateACLsRequest()
	for _, right := range rights {
		resource, err := kmsg.ParseACLResourceType(right.Resource)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range right.Operations {
			operation, err := kmsg.ParseACLOperation(name)
			if err != nil {
				t.Fatal(err)
			}
			acl := kmsg.NewCreateACLsRequestCreation()
			acl.ResourceType, acl.ResourceName, acl.ResourcePatternType = resource, right.Prefix, kmsg.ACLResourcePatternTypePrefixed
			acl.Principal, acl.Host = "User:"+user, "*"
			acl.Operation, acl.PermissionType = operation, kmsg.ACLPermissionTypeAllow
			request.Creations = append(request.Creations, acl)
		}
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(loopback.Address(s.ports.plain)))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	answer, err := request.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	for _, result := range answer.Results {
		if result.ErrorCode != 0 {
			t.Fatalf("allowing the user something: error %d", result.ErrorCode)
		}
	}
}
