Feature: Calls over HTTP

  Scenario: The content of an answer, at an address with variables
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: call-content, version: '1.0.0'}
      do:
        - look:
            call: http
            with:
              method: get
              endpoint: {uri: "https://petstore.swagger.io/v2/pet/findByStatus?status={state}"}
            output: {as: '.[0]'}
      """
    And given the workflow input is:
      """yaml
      state: sold
      """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have properties 'id', 'name', 'status'
    And the workflow output should have a 'status' property with value:
      """yaml
      sold
      """

  Scenario: The whole answer with what was asked
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: call-response, version: '1.0.0'}
      do:
        - look:
            call: http
            with:
              method: get
              endpoint: "https://petstore.swagger.io/v2/pet/{number}"
              output: response
      """
    And given the workflow input is:
      """yaml
      number: 7
      """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have properties 'request.method', 'request.uri', 'request.headers', 'headers', 'statusCode', 'content.id'

  Scenario: Basic authentication out of the input
    Given a workflow with definition:
      """yaml
      document: {dsl: '1.0.3', namespace: conformance, name: call-basic, version: '1.0.0'}
      do:
        - enter:
            call: http
            with:
              method: get
              endpoint:
                uri: https://httpbin.org/basic-auth/{who}/{word}
                authentication:
                  basic: {username: "${ .who }", password: "${ .word }"}
      """
    And given the workflow input is:
      """yaml
      who: marta
      word: open-sesame
      """
    When the workflow is executed
    Then the workflow should complete
    And the workflow output should have a 'user' property with value:
      """yaml
      marta
      """
