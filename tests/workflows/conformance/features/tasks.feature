Feature: What each kind of task does

  Scenario: Set makes an object of values and expressions
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: set, version: '1.0.0'}
      do:
        - frame:
            set: {kind: wide, size: "${ .screen.size }", rows: [1, "${ .screen.size.height }"]}
      """
    And given the workflow input is:
      """yaml
      screen: {size: {width: 16, height: 9}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      kind: wide
      size: {width: 16, height: 9}
      rows: [1, 9]
      """

  Scenario: Do goes through its tasks
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: do, version: '1.0.0'}
      do:
        - all:
            do:
              - one: {set: {acts: '${ .acts + ["one"] }'}}
              - two: {set: {acts: '${ .acts + ["two"] }'}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      acts: [one, two]
      """
    And one should run before two
    And all should complete

  Scenario: Emit gives the event that it told
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: emit, version: '1.0.0'}
      do:
        - tell:
            emit:
              event:
                with:
                  source: https://studio.example
                  type: example.studio.wrapped.v1
                  data: {days: "${ .days + 1 }"}
      """
    And given the workflow input is:
      """yaml
      days: 40
      """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have properties 'id', 'specversion', 'time', 'source', 'type', 'data'
    And the workflow output should have a 'type' property with value:
      """yaml
      example.studio.wrapped.v1
      """
    And the workflow output should have a 'data' property with value:
      """yaml
      days: 41
      """

  Scenario: For goes through a list by item and place
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: for, version: '1.0.0'}
      do:
        - each:
            for: {each: take, in: .takes}
            do:
              - keep:
                  set: {kept: '${ .kept + [{take: $take, place: $index}] }'}
      """
    And given the workflow input is:
      """yaml
      takes: [a, b]
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      kept: [{take: a, place: 0}, {take: b, place: 1}]
      """

  Scenario: Branches that compete give the output of one
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: compete, version: '1.0.0'}
      do:
        - race:
            fork:
              compete: true
              branches:
                - left: {set: {ways: ["left"]}}
                - right: {set: {ways: ["right"]}}
      """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have a 'ways' property containing 1 items

  Scenario: Branches that do not compete give the output of all
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: together, version: '1.0.0'}
      do:
        - both:
            fork:
              branches:
                - left: {set: {way: left}}
                - right: {set: {way: right}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      [{way: left}, {way: right}]
      """

  Scenario: Wait goes on after its time
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: wait, version: '1.0.0'}
      do:
        - rest: {wait: {milliseconds: 1}}
        - after: {set: {rested: true}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      rested: true
      """
    And after should run last
