Feature: Where a workflow goes on

  Scenario: From one task to the next
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: in-order, version: '1.0.0'}
      do:
        - draft: {set: {steps: '${ .steps + ["draft"] }'}}
        - edit: {set: {steps: '${ .steps + ["edit"] }'}}
        - print: {set: {steps: '${ .steps + ["print"] }'}}
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      steps: [draft, edit, print]
      """
    And draft should run first
    And edit should run after draft
    And print should run last

  Scenario: Where then says
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: by-name, version: '1.0.0'}
      do:
        - draft:
            set: {steps: '${ .steps + ["draft"] }'}
            then: edit
        - print:
            set: {steps: '${ .steps + ["print"] }'}
            then: end
        - edit:
            set: {steps: '${ .steps + ["edit"] }'}
            then: print
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      steps: [draft, edit, print]
      """
    And edit should run before print

  Scenario: The case of a switch that is true
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: switch-match, version: '1.0.0'}
      do:
        - which:
            switch:
              - short: {when: '.minutes < 40', then: short}
              - long: {when: '.minutes >= 40', then: long}
        - short:
            set: {kind: short}
            then: end
        - long:
            set: {kind: long}
            then: end
      """
    And given the workflow input is:
      """yaml
      minutes: 95
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      kind: long
      """
    And which should run first
    And long should run last

  Scenario: No case is true, and then says where to go on
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: switch-none, version: '1.0.0'}
      do:
        - which:
            switch:
              - short: {when: '.minutes < 40', then: short}
            then: end
        - short: {set: {kind: short}}
      """
    And given the workflow input is:
      """yaml
      minutes: 95
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      minutes: 95
      """
    And which should run first
    And which should run last

  Scenario: A case without a condition takes what is left
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: switch-rest, version: '1.0.0'}
      do:
        - which:
            switch:
              - short: {when: '.minutes < 40', then: short}
              - other: {then: other}
        - short: {set: {kind: short}}
        - other: {set: {kind: '${ "of \($input.minutes)" }'}}
      """
    And given the workflow input is:
      """yaml
      minutes: 95
      """
    When the workflow is executed
    Then the workflow should complete with output:
      """yaml
      kind: of 95
      """
    And other should run last
